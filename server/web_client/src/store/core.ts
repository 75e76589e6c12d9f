/** What is known, and the signals that show it. No I/O: frames out go through `ask` and `tell`. */
import { batch, signal, type Signal } from "@preact/signals";
import type { InboxInfo, ListView, Notice, Person, Totals } from "../contract";
import type { Row } from "../wire";
import { Glances } from "./glances";
import { InboxState, VIEWS } from "./inbox";
import { ListModel } from "./lists";
import { LogState } from "./log";
import { Others } from "./others";
import { SIZES, type Outward, type Sizes } from "./outward";
import { isRoom, Rooms } from "./rooms";
import { Rows, inboxOf } from "./rows";
import type { MarksFrame } from "./shapes";
import { NOTHING_DONE, type Unconfirmed } from "./unconfirmed";
import { viewOf } from "./view";
import { Views } from "./views";

const NOTHING: Totals = { blue: 0, green: 0, unassigned: 0 };

export interface Undo {
  readonly tok: string;
  readonly untilMs: number;
  readonly status: string;
  readonly assignee: string;
}

export class Core {
  readonly me = signal<Person | null>(null);
  readonly people = signal<ReadonlyMap<string, Person>>(new Map());
  readonly inboxes = signal<readonly InboxInfo[]>([]);
  readonly totals = signal<Totals>(NOTHING);
  readonly degraded = signal(false);
  readonly ready = signal(false);
  readonly limits = signal({ textMaxChars: 1600 });

  readonly sizes: Sizes;
  readonly rows: Rows;
  pending: Unconfirmed = NOTHING_DONE;
  readonly glances: Glances = new Glances(this);
  readonly views: Views = new Views(this);
  readonly others = new Others();
  readonly rooms: Rooms = new Rooms(this);
  readonly states = new Map<string, InboxState>();
  /** Rooms that are, or were, followed event by event. */
  readonly roomLogs = new Map<string, LogState>();
  readonly lists = new Map<string, ListModel>();
  readonly undos = new Map<string, Undo>();
  userId = "";
  /** The server's clock is ahead of ours by so much. */
  skewMs = 0;
  out: Outward = {
    ask: () => false,
    tell: () => false,
    nowMs: () => 0,
    later: () => () => undefined,
    flush: () => undefined,
  };
  /** Conversations whose row must stay: their thread is open. */
  pinned: (conv: string) => boolean = () => false;
  private readonly totalsByInbox = new Map<string, Signal<Totals>>();
  private readonly dirty = new Set<ListModel>();
  private readonly listeners = new Set<(notice: Notice) => void>();
  private depth = 0;

  constructor(sizes: Partial<Sizes> = {}) {
    this.sizes = { ...SIZES, ...sizes };
    this.rows = new Rows(this.sizes.rows);
  }

  /** Everything that changes state runs in here: signals move once, lists are flushed at the end. */
  step(change: () => void): void {
    batch(() => {
      this.depth++;
      try {
        change();
      } finally {
        this.depth--;
        if (this.depth === 0) this.flush();
      }
    });
    if (this.depth === 0) this.out.flush();
  }

  get serverNowMs(): number {
    return this.out.nowMs() + this.skewMs;
  }

  // Notices

  notice(notice: Notice): void {
    for (const listener of this.listeners) listener(notice);
  }

  onNotice(listener: (notice: Notice) => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  // Inboxes

  state(inbox: string): InboxState {
    let state = this.states.get(inbox);
    if (state === undefined) {
      state = new InboxState(inbox, this.sizes.longest);
      this.states.set(inbox, state);
    }
    return state;
  }

  /** The log a conversation stands in: its inbox's, or its own. */
  log(conv: string): LogState {
    if (!isRoom(conv)) return this.state(inboxOf(conv));
    let log = this.roomLogs.get(conv);
    if (log === undefined) this.roomLogs.set(conv, (log = new LogState(conv)));
    return log;
  }

  list(view: ListView, inbox: string | null): ListModel {
    const key = `${view}|${inbox ?? ""}`;
    let list = this.lists.get(key);
    if (list === undefined) {
      list = new ListModel(view, inbox, this.source);
      this.lists.set(key, list);
      this.attach(list);
    }
    return list;
  }

  /** Tie a list to the inboxes it is made of now. */
  attach(list: ListModel): void {
    for (const state of this.states.values()) state.lists[list.view].delete(list);
    for (const state of this.members(list)) state.lists[list.view].add(list);
    list.restructured();
  }

  /** All conversations are those of every inbox I may see, whether I joined it or not. */
  members(list: ListModel): InboxState[] {
    if (list.inbox !== null) return [this.state(list.inbox)];
    return [...this.states.values()].filter((state) => state.joined || list.view === "all");
  }

  totalsOf(inbox: string): Signal<Totals> {
    let totals = this.totalsByInbox.get(inbox);
    if (totals === undefined) {
      totals = signal(this.states.get(inbox)?.badge ?? NOTHING);
      this.totalsByInbox.set(inbox, totals);
    }
    return totals;
  }

  totalsAre(inbox: string, badge: Totals | null): void {
    const state = this.state(inbox);
    state.badge = badge;
    this.totalsOf(inbox).value = badge ?? NOTHING;
    const sum = { ...NOTHING };
    for (const one of this.states.values()) {
      if (!one.joined || one.badge === null) continue;
      sum.blue += one.badge.blue;
      sum.green += one.badge.green;
      sum.unassigned += one.badge.unassigned;
    }
    const now = this.totals.peek();
    if (sum.blue !== now.blue || sum.green !== now.green || sum.unassigned !== now.unassigned) {
      this.totals.value = sum;
    }
    this.counted(state);
  }

  counted(state: InboxState): void {
    for (const view of VIEWS) for (const list of state.lists[view]) list.counted();
  }

  // Rows

  /** A row as of position `asOf` of its inbox; false when it says nothing new. */
  put(row: Row, asOf: number): boolean {
    const state = this.state(inboxOf(row.id));
    if (state.void || !this.rows.put(row, asOf)) return false;
    state.known(row.id, { rev: row.rev, row });
    this.pending.row(row.id, row.rev);
    this.changed(row.id);
    return true;
  }

  /** The row as it is shown. */
  shown(conv: string): Row | undefined {
    const row = this.rows.get(conv);
    return row && this.pending.over(row);
  }

  /** Something about this conversation changed: place it and show it. */
  changed(conv: string): void {
    const row = this.rows.get(conv);
    const state = this.state(inboxOf(conv));
    if (row === undefined) state.unplace(conv);
    else state.place(this.pending.over(row), this.userId);
    this.views.refresh(conv);
  }

  /** Every row of the inbox goes; what is open keeps its picture until it is read again. */
  forgetRows(inbox: string): void {
    for (const conv of this.rows.forget(inbox)) if (!this.pinned(conv)) this.views.refresh(conv);
  }

  /** Keep rows within their bound. */
  private trim(): void {
    const keep = (row: Row): boolean =>
      this.state(inboxOf(row.id)).isPlaced(row.id) ||
      this.pending.has(row.id) ||
      this.views.isWatched(row.id) ||
      this.pinned(row.id);
    for (const conv of this.rows.trim(keep)) this.evicted(conv);
    if (!this.rows.over) return;
    for (const [inbox, view] of this.leastWanted()) {
      this.state(inbox).truncate(view, this.sizes.first);
      for (const conv of this.rows.trim(keep)) this.evicted(conv);
      if (!this.rows.over) return;
    }
  }

  private evicted(conv: string): void {
    this.undos.delete(conv);
    this.glances.evicted(conv);
    this.views.refresh(conv);
  }

  /** Long windows that are on no list first, then the longest; my own list last of all. */
  private leastWanted(): [string, ListView][] {
    const found: { inbox: string; view: ListView; shown: boolean; size: number }[] = [];
    for (const state of this.states.values()) {
      for (const view of VIEWS) {
        const size = state.windows[view].entries.length;
        if (size > this.sizes.first) found.push({ inbox: state.id, view, shown: state.lists[view].size > 0, size });
      }
    }
    const rank = (one: (typeof found)[number]): number =>
      one.view === "mine" ? 2 : Number(one.shown);
    found.sort((a, b) => rank(a) - rank(b) || b.size - a.size);
    return found.map((one) => [one.inbox, one.view]);
  }

  // Marks

  marks(inbox: string, frame: MarksFrame): void {
    const state = this.state(inbox);
    if (state.marks.marks(frame, state.sequence.seq)) this.marked(state);
  }

  /** Marks came into force. */
  marked(state: InboxState): void {
    this.glances.marked(state);
    this.views.refreshAll(state.id);
  }

  // Lists

  private readonly source = {
    members: (list: ListModel): readonly InboxState[] => this.members(list),
    more: (list: ListModel): void => this.onMore(list),
    total: (inbox: InboxState, view: ListView): number | null => this.total(inbox, view),
    touched: (list: ListModel): void => {
      this.dirty.add(list);
    },
  };

  /** An answer was of a history of this log that is no more. */
  onLostHistory: (log: LogState) => void = () => undefined;
  onMore: (list: ListModel) => void = () => undefined;

  private total(state: InboxState, view: ListView): number | null {
    const { counts, windows, badge } = state;
    if (view === "all") return counts && counts.open + counts.done;
    if (view === "mine") return windows.mine.complete ? windows.mine.entries.length : null;
    if (counts === null) return view === "unassigned" && badge !== null ? badge.unassigned : null;
    if (view === "unassigned") return counts.unassigned + this.shift(state.id, "unassigned");
    if (view === "done") return counts.done + this.shift(state.id, "done");
    if (!windows.mine.complete) return null;
    const open = counts.open - this.shift(state.id, "done");
    return open - counts.unassigned - this.shift(state.id, "unassigned") - windows.mine.entries.length;
  }

  /** By how much my unconfirmed acts change a count. */
  private shift(inbox: string, view: ListView): number {
    let by = 0;
    for (const conv of this.pending.conversations()) {
      const row = inboxOf(conv) === inbox ? this.rows.get(conv) : undefined;
      if (row === undefined) continue;
      const now = viewOf(this.pending.over(row), this.userId);
      by += Number(now === view) - Number(viewOf(row, this.userId) === view);
    }
    return by;
  }

  private flush(): void {
    this.trim();
    for (const list of this.dirty) list.flush();
    this.dirty.clear();
  }
}
