/** Lists as people see them: one inbox's window, or several merged. */
import { signal } from "@preact/signals";
import type { List, ListView } from "../contract";
import type { InboxState } from "./inbox";
import { Sorted, type Entry } from "./window";

export interface ListSource {
  /** The inboxes a list is made of. */
  members(list: ListModel): readonly InboxState[];
  more(list: ListModel): void;
  /** How many of a view there are as it is shown, null while unknown. */
  total(inbox: InboxState, view: ListView): number | null;
  /** `list` wants to be flushed at the end of this batch. */
  touched(list: ListModel): void;
}

type Dirt = "clean" | "counts" | "order" | "all";

/** Events splice single entries; signals move once per batch, and only if what they say changed. */
export class ListModel implements List {
  readonly ids = signal<readonly string[]>([]);
  readonly total = signal<number | null>(null);
  readonly complete = signal(false);
  readonly loading = signal(true);
  readonly moved = signal(0);
  private readonly merged = new Sorted();
  private floor = Infinity;
  private dirt: Dirt = "clean";

  constructor(
    readonly view: ListView,
    readonly inbox: string | null,
    private readonly source: ListSource,
  ) {}

  more(): void {
    this.source.more(this);
  }

  inserted(entry: Entry): void {
    if (this.inbox === null && this.dirt !== "all" && entry.ms >= this.floor) {
      this.merged.insert(entry);
    }
    this.soil("order");
  }

  removed(entry: Entry): void {
    if (this.inbox === null && this.dirt !== "all") this.merged.remove(entry);
    this.soil("order");
  }

  /** Totals, completeness or loading may have changed. */
  counted(): void {
    this.soil("counts");
  }

  /** Floors moved, or the inboxes it is made of. */
  restructured(): void {
    this.soil("all");
  }

  flush(): void {
    const { dirt } = this;
    this.dirt = "clean";
    if (dirt === "clean") return;
    const members = this.source.members(this);
    const loaded = members.filter((inbox) => inbox.snapped);
    if (dirt === "all" && this.inbox === null) this.rebuild(loaded);
    if (dirt !== "counts") {
      this.moved.value++;
      const own = loaded[0]?.windows[this.view].entries;
      this.show(this.inbox === null ? this.merged.entries : (own ?? []));
    }
    this.complete.value = loaded.every((inbox) => inbox.windows[this.view].complete);
    this.loading.value = members.some(
      (inbox) =>
        (inbox.followed && !inbox.snapped) || inbox.windows[this.view].asked !== null,
    );
    this.total.value = this.sum(members);
  }

  private soil(dirt: Dirt): void {
    if (this.dirt === "clean") this.source.touched(this);
    if (dirt === "all" || this.dirt === "clean" || this.dirt === "counts") this.dirt = dirt;
  }

  private sum(members: readonly InboxState[]): number | null {
    let sum = 0;
    for (const inbox of members) {
      const total = this.source.total(inbox, this.view);
      if (total === null) return null;
      sum += total;
    }
    return sum;
  }

  /** Below the highest floor one of them might still have rows that are missing here. */
  private rebuild(loaded: readonly InboxState[]): void {
    this.floor = -Infinity;
    for (const inbox of loaded) this.floor = Math.max(this.floor, inbox.windows[this.view].floor);
    const entries: Entry[] = [];
    for (const inbox of loaded) {
      for (const entry of inbox.windows[this.view].entries) {
        if (entry.ms < this.floor) break;
        entries.push(entry);
      }
    }
    this.merged.adopt(entries);
  }

  private show(entries: readonly Entry[]): void {
    const before = this.ids.peek();
    if (before.length === entries.length && entries.every((e, i) => e.id === before[i])) return;
    this.ids.value = entries.map((entry) => entry.id);
  }
}
