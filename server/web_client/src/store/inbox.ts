/** One inbox: its log, marks, counts, and the loaded heads of its lists. */
import type { ListView, Totals, View } from "../contract";
import type { Row } from "../wire";
import type { ListModel } from "./lists";
import { LogState } from "./log";
import { Marks } from "./marks";
import type { Counts, EventMeta } from "./shapes";
import { viewOf } from "./view";
import { Window, type Entry } from "./window";

export const VIEWS: readonly ListView[] = ["unassigned", "mine", "others", "done", "all"];

interface Placed {
  readonly view: ListView;
  readonly entry: Entry;
}

const each = <T>(make: () => T): Record<ListView, T> => {
  return { unassigned: make(), mine: make(), others: make(), done: make(), all: make() };
};

export class InboxState extends LogState {
  readonly marks = new Marks();
  readonly windows: Readonly<Record<ListView, Window>> = each(() => new Window());
  readonly lists: Readonly<Record<ListView, Set<ListModel>>> = each(() => new Set());
  /** Kept by events from a snapshot on; null before the first. */
  counts: Counts | null = null;
  badge: Totals | null = null;
  joined = false;
  /** Rows known are of a history that ended; they are shown until the snapshot comes. */
  void = false;
  /** Where each stands among those of its state, and among all. */
  private readonly placed = new Map<string, Placed>();
  private readonly everywhere = new Map<string, Placed>();

  constructor(
    id: string,
    /** Lists keep so many entries, or what was asked for, while events push others in. */
    private readonly kept = 200,
  ) {
    super(id);
  }

  /** Put a row where it belongs, as it is shown. */
  place(row: Row, me: string): void {
    this.stand(this.placed, row, viewOf(row, me));
    if (this.windows.all.floor < Infinity) this.stand(this.everywhere, row, "all");
  }

  /** The row is not known any more. */
  unplace(conv: string): void {
    for (const places of [this.placed, this.everywhere]) {
      const was = places.get(conv);
      if (was !== undefined) this.take(places, was);
    }
  }

  isPlaced(conv: string): boolean {
    return this.placed.has(conv) || this.everywhere.has(conv);
  }

  /** Empty the lists; they are loaded from these floors up. */
  restart(floors: Readonly<Record<View, number>>): void {
    this.placed.clear();
    this.everywhere.clear();
    for (const view of VIEWS) {
      this.windows[view].reset(view === "all" ? Infinity : floors[view]);
      for (const list of this.lists[view]) list.restructured();
    }
  }

  /** Keep only the first `n` of a list. */
  truncate(view: ListView, n: number): void {
    const places = view === "all" ? this.everywhere : this.placed;
    for (const entry of this.windows[view].truncate(n)) places.delete(entry.id);
    for (const list of this.lists[view]) list.restructured();
  }

  override invalidate(): void {
    super.invalidate();
    for (const view of VIEWS) this.windows[view].asked = null;
  }

  /** Keep the counts of the snapshot. */
  count(meta: EventMeta): void {
    const { counts } = this;
    if (counts === null || meta.row === undefined) return;
    const was = meta.before?.status;
    const now = meta.row.status;
    if (meta.whole === true) counts.done--;
    if (was === now) return;
    if (was === "unassigned") counts.unassigned--;
    if (was === "done") counts.done--;
    else if (was !== undefined) counts.open--;
    if (now === "unassigned") counts.unassigned++;
    if (now === "done") counts.done++;
    else counts.open++;
  }

  private stand(places: Map<string, Placed>, row: Row, view: ListView): void {
    const was = places.get(row.id);
    if (was !== undefined && was.view === view && was.entry.ms === row.last_ms) return;
    if (was !== undefined) this.take(places, was);
    const window = this.windows[view];
    if (!window.covers(row.last_ms)) return;
    const entry: Entry = { id: row.id, inbox: this.id, ms: row.last_ms };
    places.set(row.id, { view, entry });
    window.insert(entry);
    for (const list of this.lists[view]) list.inserted(entry);
    const wanted = Math.max(window.want, this.kept);
    if (window.entries.length > wanted + this.kept / 2) this.truncate(view, wanted);
  }

  private take(places: Map<string, Placed>, was: Placed): void {
    places.delete(was.entry.id);
    this.windows[was.view].remove(was.entry);
    for (const list of this.lists[was.view]) list.removed(was.entry);
  }
}
