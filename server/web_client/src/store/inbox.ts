/** One inbox: its position, marks, counts, and the loaded heads of its four lists. */
import type { Totals, View } from "../contract";
import type { Row } from "../wire";
import type { ListModel } from "./lists";
import { Marks } from "./marks";
import { Sequence } from "./sequence";
import type { Counts, EventMeta } from "./shapes";
import { viewOf } from "./view";
import { Window, type Entry } from "./window";

export const VIEWS: readonly View[] = ["unassigned", "mine", "others", "done"];

interface Placed {
  readonly view: View;
  readonly entry: Entry;
}

/** What an answer said ahead of the events: a row, or that a command took effect at this tip. */
export type Ahead =
  | { readonly rev: number; readonly row: Row }
  | { readonly rev: number; readonly tip: string };

function confirms(said: Ahead, tip: string, row: Row | undefined): boolean {
  if ("tip" in said) return said.tip === tip;
  const { n, last_ms, own_tok, att } = said.row;
  const same = row?.n === n && row.last_ms === last_ms;
  return same && row.own_tok === own_tok && row.att === att;
}

export class InboxState {
  readonly sequence = new Sequence();
  readonly marks = new Marks();
  readonly windows: Readonly<Record<View, Window>> = {
    unassigned: new Window(),
    mine: new Window(),
    others: new Window(),
    done: new Window(),
  };
  readonly lists: Readonly<Record<View, Set<ListModel>>> = {
    unassigned: new Set(),
    mine: new Set(),
    others: new Set(),
    done: new Set(),
  };
  /** Kept by events from a snapshot on; null before the first. */
  counts: Counts | null = null;
  badge: Totals | null = null;
  joined = false;
  /** Subscribed at level `list`. */
  followed = false;
  /** Moves whenever what was asked before does not count any more. */
  generation = 0;
  /** The position of the last snapshot: events are known from there on. */
  since = -1;
  /** A snapshot is on the screen. */
  snapped = false;
  /** Rows known are of a history that ended; they are shown until the snapshot comes. */
  void = false;
  private readonly ahead = new Map<string, Ahead>();
  private aheadAt = -1;
  private readonly placed = new Map<string, Placed>();
  private held: { readonly seq: number; readonly run: () => void }[] = [];

  constructor(
    readonly id: string,
    /** Lists keep so many entries, or what was asked for, while events push others in. */
    private readonly kept = 200,
  ) {}

  /** Put a row where it belongs, as it is shown. */
  place(row: Row, me: string): void {
    const view = viewOf(row, me);
    const was = this.placed.get(row.id);
    if (was !== undefined && was.view === view && was.entry.ms === row.last_ms) return;
    if (was !== undefined) this.take(row.id, was);
    const window = this.windows[view];
    if (!window.covers(row.last_ms)) return;
    const entry: Entry = { id: row.id, inbox: this.id, ms: row.last_ms };
    this.placed.set(row.id, { view, entry });
    window.insert(entry);
    for (const list of this.lists[view]) list.inserted(entry);
    const wanted = Math.max(window.want, this.kept);
    if (window.entries.length > wanted + this.kept / 2) this.truncate(view, wanted);
  }

  /** An answer says what a conversation is as of `rev`; the log has to say the same. */
  known(conv: string, said: Ahead): void {
    if (this.sequence.position === null || said.rev <= this.sequence.seq) return;
    if (said.rev > (this.ahead.get(conv)?.rev ?? 0)) this.ahead.set(conv, said);
  }

  aheadOf(): string[] {
    return [...this.ahead.keys()];
  }

  /** Called every few seconds while connected: whether answers have been ahead of the events all along. */
  stuck(): boolean {
    const { seq } = this.sequence;
    const ahead = this.ahead.size > 0 || this.held.length > 0;
    const stuck = ahead && this.aheadAt === seq;
    this.aheadAt = ahead ? seq : -1;
    return stuck;
  }

  /**
   * Event `seq` has been applied; false when a row that came ahead of it is not what the log says:
   * it was read from a history that was lost, and nothing can be trusted.
   */
  passed(seq: number, tip: string, meta: EventMeta): boolean {
    if (this.ahead.size === 0) return true;
    let agrees = true;
    for (const [conv, said] of this.ahead) {
      if (said.rev > seq) continue;
      this.ahead.delete(conv);
      agrees &&= said.rev === seq && meta.conv === conv && confirms(said, tip, meta.row);
    }
    return agrees;
  }

  /** The row is not known any more. */
  unplace(conv: string): void {
    const was = this.placed.get(conv);
    if (was !== undefined) this.take(conv, was);
  }

  isPlaced(conv: string): boolean {
    return this.placed.has(conv);
  }

  /** Empty the lists; they are loaded from these floors up. */
  restart(floors: Readonly<Record<View, number>>): void {
    this.placed.clear();
    for (const view of VIEWS) {
      this.windows[view].reset(floors[view]);
      for (const list of this.lists[view]) list.restructured();
    }
  }

  /** Keep only the first `n` of a list. */
  truncate(view: View, n: number): void {
    for (const entry of this.windows[view].truncate(n)) this.placed.delete(entry.id);
    for (const list of this.lists[view]) list.restructured();
  }

  /** Everything asked so far is void. */
  invalidate(): void {
    this.generation++;
    this.held = [];
    this.ahead.clear();
    for (const view of VIEWS) this.windows[view].asked = null;
  }

  /** Run once events have been applied up to `seq`. */
  when(seq: number, run: () => void): void {
    if (seq <= this.sequence.seq) run();
    else this.held.push({ seq, run });
  }

  /** Run what has become due. */
  release(): void {
    if (this.held.length === 0) return;
    const due = this.held.filter((one) => one.seq <= this.sequence.seq);
    if (due.length === 0) return;
    this.held = this.held.filter((one) => one.seq > this.sequence.seq);
    for (const one of due) one.run();
  }

  /** Keep the counts of the snapshot. */
  count(meta: EventMeta): void {
    const { counts } = this;
    if (counts === null || meta.row === undefined) return;
    const was = meta.before?.status;
    const now = meta.row.status;
    if (was === now) return;
    if (was === "unassigned") counts.unassigned--;
    if (was === "done") counts.done--;
    else if (was !== undefined) counts.open--;
    if (now === "unassigned") counts.unassigned++;
    if (now === "done") counts.done++;
    else counts.open++;
  }

  private take(conv: string, was: Placed): void {
    this.placed.delete(conv);
    this.windows[was.view].remove(was.entry);
    for (const list of this.lists[was.view]) list.removed(was.entry);
  }
}
