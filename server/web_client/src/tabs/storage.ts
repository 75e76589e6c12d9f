/** What outlives a tab: per person, one key per thing, so that tabs do not overwrite each other. */

/** The part of Storage that is used; anything may throw there (quota, private windows). */
export interface StorageLike {
  readonly length: number;
  key(index: number): string | null;
  getItem(key: string): string | null;
  setItem(key: string, value: string): void;
  removeItem(key: string): void;
}

export class Shelf<T> {
  constructor(
    private readonly storage: StorageLike | null,
    private readonly prefix: string,
  ) {}

  get(name: string): T | null {
    try {
      const text = this.storage?.getItem(this.prefix + name) ?? null;
      return text === null ? null : (JSON.parse(text) as T);
    } catch {
      return null;
    }
  }

  set(name: string, value: T): void {
    try {
      this.storage?.setItem(this.prefix + name, JSON.stringify(value));
    } catch {
      // Full or forbidden: this tab remembers, a reload does not.
    }
  }

  remove(name: string): void {
    try {
      this.storage?.removeItem(this.prefix + name);
    } catch {
      // As above.
    }
  }

  all(): [string, T][] {
    const found: [string, T][] = [];
    for (const name of this.names()) {
      const value = this.get(name);
      if (value !== null) found.push([name, value]);
    }
    return found;
  }

  clear(): void {
    for (const name of this.names()) this.remove(name);
  }

  private names(): string[] {
    const names: string[] = [];
    try {
      const { storage, prefix } = this;
      for (let index = 0; index < (storage?.length ?? 0); index++) {
        const key = storage?.key(index) ?? "";
        if (key.startsWith(prefix)) names.push(key.slice(prefix.length));
      }
    } catch {
      // As above.
    }
    return names;
  }
}
