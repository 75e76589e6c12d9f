/**
 * One tab of a person leads: it owns notifications, sound, the app badge, and replies left behind
 * by tabs that are gone. Without Web Locks (pages over plain HTTP from another machine) every tab
 * leads: a reply adopted twice is still sent once, since it keeps its command id.
 */
import { signal } from "@preact/signals";

/** The part of LockManager that is used. */
export interface LocksLike {
  request(
    name: string,
    options: { signal?: AbortSignal },
    held: () => Promise<void>,
  ): Promise<unknown>;
  query(): Promise<{ held?: { name?: string }[] }>;
}

const TAB = "batonbox-tab-";

export class Leader {
  readonly leads = signal(false);
  private readonly leaving = new AbortController();
  private leave: () => void = () => undefined;
  private readonly left: Promise<void>;

  constructor(
    private readonly locks: LocksLike | null,
    readonly tab: string,
  ) {
    this.left = new Promise((resolve) => {
      this.leave = resolve;
    });
  }

  /** Stand for leadership among this person's tabs; `elected` is called once. */
  stand(user: string, elected: () => void): void {
    const lead = (): void => {
      this.leads.value = true;
      elected();
    };
    if (this.locks === null) {
      lead();
      return;
    }
    this.hold(TAB + this.tab, () => undefined);
    this.hold(`batonbox-leader-${user}`, lead);
  }

  /** Whether a tab is still there. */
  async living(): Promise<ReadonlySet<string>> {
    if (this.locks === null) return new Set([this.tab]);
    const { held = [] } = await this.locks.query();
    const names = held.map((lock) => lock.name ?? "").filter((name) => name.startsWith(TAB));
    return new Set([this.tab, ...names.map((name) => name.slice(TAB.length))]);
  }

  /** Let another tab lead. */
  resign(): void {
    this.leads.value = false;
    this.leaving.abort();
    this.leave();
  }

  private hold(name: string, held: () => void): void {
    const { signal: aborted } = this.leaving;
    this.locks
      ?.request(name, { signal: aborted }, () => {
        held();
        return this.left;
      })
      .catch(() => undefined); // resigned while waiting
  }
}
