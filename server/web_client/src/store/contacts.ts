/** Whose numbers are whose: asked for in batches, told of changes, bounded. */
import { signal, type ReadonlySignal, type Signal } from "@preact/signals";
import type { ContactName } from "../contract";
import type { ContactsFrame } from "../wire";

/** So many numbers one request may ask for. */
export const BATCH = 100;
/** Names kept beyond those on a screen. */
export const KEPT_MAX = 3000;
const GATHER_MS = 15;
const AGAIN_MS = 5000;
const NUMBER = /^\+\d{3,15}$/;

export interface ContactsIo {
  /** Of these numbers those that are somebody's; null: one is no number. Rejects when the server cannot be asked. */
  lookup(numbers: readonly string[]): Promise<Readonly<Record<string, ContactName>> | null>;
  later(ms: number, run: () => void): () => void;
}

interface Entry {
  readonly name: Signal<ContactName | undefined>;
  /** On a screen. */
  shown: boolean;
}

export class Contacts {
  private readonly entries = new Map<string, Entry>();
  private readonly wanted = new Set<string>();
  /** Asked, and not told of since: only of these an answer counts. */
  private readonly asked = new Set<string>();
  /** Ends the wait for the next question; null: none is to come, nor under way. */
  private wait: (() => void) | null = null;
  /** Moves when what was asked before does not count any more. */
  private round = 0;
  /** Fewer than the most while one among them is sought that the server takes for none. */
  private most = BATCH;

  constructor(private readonly io: ContactsIo) {}

  contact(number: string): ReadonlySignal<ContactName | undefined> {
    const known = this.entries.get(number);
    if (known !== undefined) return known.name;
    const entry: Entry = {
      name: signal(undefined, { watched: () => void (entry.shown = true), unwatched: () => void (entry.shown = false) }),
      shown: false,
    };
    if (this.entries.size >= KEPT_MAX) this.evict();
    this.entries.set(number, entry);
    this.want(number);
    return entry.name;
  }

  /** CONTACTS arrived. */
  told([, names]: ContactsFrame): void {
    if (names === null) return this.refresh();
    for (const [number, name] of Object.entries(names)) {
      this.asked.delete(number);
      this.wanted.delete(number);
      this.name(number, name ?? undefined);
    }
  }

  /**
   * Something may have been missed: what is shown is asked for again, and stays until then. At once: a question that
   * the connection took along with it is not waited for.
   */
  refresh(): void {
    this.asked.clear();
    this.wait?.();
    this.wait = null;
    this.round++;
    for (const [number, { shown }] of this.entries) {
      if (shown) this.want(number);
      else this.entries.delete(number);
    }
  }

  private want(number: string): void {
    if (!NUMBER.test(number)) return;
    this.wanted.add(number);
    this.soon(GATHER_MS);
  }

  private soon(ms: number): void {
    this.wait ??= this.io.later(ms, () => void this.ask());
  }

  private async ask(): Promise<void> {
    const { round } = this;
    const batch = [...this.wanted].slice(0, this.most);
    for (const number of batch) {
      this.wanted.delete(number);
      this.asked.add(number);
    }
    const found = batch.length > 0 ? await this.io.lookup(batch).catch(() => undefined) : {};
    if (round !== this.round) return;
    const again = found === undefined || (found === null && batch.length > 1);
    for (const number of batch) {
      if (!this.asked.delete(number)) continue;
      if (again) this.wanted.add(number);
      else this.name(number, found?.[number]);
    }
    this.most = found === null ? Math.max(1, Math.floor(batch.length / 2)) : BATCH;
    this.wait = null;
    if (this.wanted.size > 0) this.soon(found === undefined ? AGAIN_MS : 0);
  }

  private name(number: string, name: ContactName | undefined): void {
    const entry = this.entries.get(number);
    if (entry === undefined) return;
    const now = entry.name.peek();
    if (now?.id !== name?.id || now?.name !== name?.name) entry.name.value = name;
  }

  private evict(): void {
    for (const [number, { shown }] of this.entries) {
      if (shown) continue;
      this.entries.delete(number);
      this.wanted.delete(number);
      if (this.entries.size < KEPT_MAX) return;
    }
  }
}
