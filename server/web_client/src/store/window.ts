/** Sorted heads of lists: newest change first, and how far down they are loaded. */

/** Where a conversation stands in a list. */
export interface Entry {
  readonly id: string;
  readonly inbox: string;
  readonly ms: number;
}

/** Newest first; equal times by inbox, then id. */
export function compareEntries(a: Entry, b: Entry): number {
  if (a.ms !== b.ms) return b.ms - a.ms;
  if (a.inbox !== b.inbox) return a.inbox < b.inbox ? -1 : 1;
  if (a.id !== b.id) return a.id < b.id ? -1 : 1;
  return 0;
}

/** A sorted array of entries; each operation is a binary search and a splice. */
export class Sorted {
  entries: Entry[] = [];

  /** Where the entry is, or would be. */
  index(entry: Entry): number {
    const entries = this.entries;
    let low = 0;
    let high = entries.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (compareEntries(entries[middle] as Entry, entry) < 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  has(entry: Entry): boolean {
    const at = this.entries[this.index(entry)];
    return at !== undefined && at.id === entry.id && at.ms === entry.ms;
  }

  /** Take these entries, in whatever order. */
  adopt(entries: Entry[]): void {
    this.entries = entries.sort(compareEntries);
  }

  /** Returns the place, -1 when it was there. */
  insert(entry: Entry): number {
    const at = this.index(entry);
    const there = this.entries[at];
    if (there !== undefined && compareEntries(there, entry) === 0) return -1;
    this.entries.splice(at, 0, entry);
    return at;
  }

  /** Returns the place it had, -1 when it was not there. */
  remove(entry: Entry): number {
    const at = this.index(entry);
    const there = this.entries[at];
    if (there === undefined || compareEntries(there, entry) !== 0) return -1;
    this.entries.splice(at, 1);
    return at;
  }
}

/**
 * The loaded head of one view of one inbox: every conversation of the view that changed at
 * `floor` or later is in it. Infinity: nothing is loaded; -Infinity: all of it.
 */
export class Window extends Sorted {
  floor = Infinity;
  /** The floor for which a page has been asked, null while none is. */
  asked: number | null = null;
  /** Load until it holds so many. */
  want = 0;

  get complete(): boolean {
    return this.floor === -Infinity;
  }

  covers(ms: number): boolean {
    return ms >= this.floor;
  }

  /** A page below the floor has been placed. */
  lower(floor: number): void {
    this.floor = Math.min(this.floor, floor);
  }

  /** Nothing counts any more but what is loaded from `floor` up. */
  reset(floor: number): void {
    this.entries = [];
    this.floor = floor;
    this.asked = null;
  }

  /** Keep the first `n`, and what stands at the same time as the last; returns what fell off. */
  truncate(n: number): Entry[] {
    const last = this.entries[n - 1];
    if (last === undefined || this.entries.length <= n) return [];
    const gone = this.entries.splice(this.entries.findLastIndex((e) => e.ms === last.ms) + 1);
    if (gone.length === 0) return [];
    this.floor = last.ms;
    this.want = Math.min(this.want, n);
    this.asked = null;
    return gone;
  }
}
