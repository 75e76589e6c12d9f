/**
 * A plain in-memory server: rows, log, threads and marks by the rules of `domain/verbs.py` and
 * `hub/badges.py`, written as directly as they can be said. The reference of the fuzz.
 */
import type { Body, Message, Meta, Row, View } from "../src/wire";

export interface Logged {
  readonly seq: number;
  readonly meta: Meta;
  readonly body: Body;
  readonly prev: string;
  readonly tip: string;
}

export interface Reply {
  readonly ok: boolean;
  readonly slug: string;
  readonly result: Record<string, unknown>;
  readonly cur: Row | null;
}

interface Prev {
  readonly status: string;
  readonly assignee: string;
  readonly actor: string;
  readonly tok: string;
  readonly unanswered: number;
}

/** Everything a fork loses when it goes back. */
interface State {
  seq: number;
  tip: string;
  lastMs: number;
  /** The row after each of its changes, oldest first. */
  versions: Map<string, Row[]>;
  threads: Map<string, Message[]>;
  seen: Set<string>;
  green: Set<string>;
  prev: Map<string, Prev>;
  replies: Map<string, Reply>;
  mv: number;
}

const PAGE_MAX = 4;

export class ModelInbox {
  epoch = "e1";
  log: Logged[] = [];
  /** The oldest event the log still has. */
  oldest = 1;
  private forks = 0;
  private readonly history: State[] = [];
  state: State = {
    seq: 0,
    tip: "t0",
    lastMs: 1_700_000_000_000,
    versions: new Map(),
    threads: new Map(),
    seen: new Set(),
    green: new Set(),
    prev: new Map(),
    replies: new Map(),
    mv: 0,
  };

  constructor(
    readonly id: string,
    /** Whose marks are kept. */
    readonly me: string,
    private readonly nowMs: () => number,
  ) {
    this.keep();
  }

  // Reading

  rows(): Row[] {
    return [...this.state.versions.keys()].map((conv) => this.row(conv) as Row);
  }

  row(conv: string): Row | undefined {
    return this.state.versions.get(conv)?.at(-1);
  }

  /** The row as of a position of this history. */
  rowAt(conv: string, seq: number): Row | undefined {
    return this.state.versions.get(conv)?.findLast((row) => row.rev <= seq);
  }

  tipAt(seq: number): string | undefined {
    if (seq === 0) return "t0";
    return this.log.find((entry) => entry.seq === seq)?.tip;
  }

  view(view: View, rows = this.rows()): Row[] {
    const wanted = rows.filter((row) =>
      view === "all" ? true : view === "open" ? row.status !== "done" : viewOf(row, this.me) === view,
    );
    return wanted.sort((a, b) => b.last_ms - a.last_ms);
  }

  page(view: View, after: string | null, n: number): Record<string, unknown> {
    const below = this.view(view).filter((row) => after === null || row.last_ms < Number(after));
    const rows = below.slice(0, Math.min(n, PAGE_MAX));
    const next = below.length > rows.length ? String(rows.at(-1)?.last_ms) : null;
    return { rows, next, seq: this.state.seq, tip: this.state.tip };
  }

  snapshot(): unknown[] {
    const open = this.view("open");
    const rows = open.slice(0, PAGE_MAX + 1);
    const next = open.length > rows.length ? String(rows.at(-1)?.last_ms) : null;
    const { epoch, state } = this;
    return [19, this.id, epoch, state.seq, state.tip, this.counts(), this.marks(), rows, next];
  }

  counts(rows = this.rows()): { unassigned: number; open: number; done: number } {
    const count = (status: string): number => rows.filter((row) => row.status === status).length;
    const unassigned = count("unassigned");
    return { unassigned, open: unassigned + count("assigned"), done: count("done") };
  }

  marks(): { seq: number; mv: number; green: string[]; blue?: string[]; seen?: string[] } {
    const { seq, mv, green } = this.state;
    const waiting = this.rows().filter((row) => row.status === "unassigned" && row.att !== "");
    const blue = waiting.filter((row) => this.blue(row)).map((row) => row.id);
    const seen = waiting.filter((row) => !this.blue(row)).map((row) => row.id);
    const base = { seq, mv, green: [...green] };
    return seen.length * 2 < waiting.length ? { ...base, seen } : { ...base, blue };
  }

  badge(row: Row): "none" | "blue" | "green" {
    if (row.status === "unassigned" && row.att !== "") return this.blue(row) ? "blue" : "none";
    return row.assignee === this.me && this.state.green.has(row.id) ? "green" : "none";
  }

  totals(): unknown[] {
    const rows = this.rows();
    const badges = rows.map((row) => this.badge(row));
    const of = (badge: string): number => badges.filter((one) => one === badge).length;
    return [22, this.id, of("blue"), of("green"), this.counts(rows).unassigned, this.state.seq];
  }

  history_(conv: string, before: number, n: number): Record<string, unknown> | null {
    const row = this.row(conv);
    if (row === undefined) return null;
    const all = this.state.threads.get(conv) ?? [];
    const last = before === 0 ? all.length : Math.min(all.length, before - 1);
    const first = Math.max(1, last - Math.min(n, 6) + 1);
    const messages = all.slice(first - 1, last);
    return { row, messages, next: first > 1 && messages.length > 0 ? first : null, seq: this.state.seq };
  }

  // Changing

  receive(conv: string, text: string): void {
    const known = this.row(conv);
    if (known?.status === "assigned" && this.released.has(known.assignee)) this.giveUp(known, "away");
    const was = this.row(conv);
    const reopened = was === undefined || was.status === "done";
    const again = was?.status === "done" && this.reopens ? was.last_assignee : "";
    const to = this.released.has(again) ? "" : again;
    const status = to === "" ? "unassigned" : "assigned";
    const moved = reopened ? { status, assignee: to, own_tok: this.mark("own") } : {};
    if (reopened) this.state.prev.delete(conv);
    const att = this.mark("in");
    const unanswered = (was?.unanswered ?? 0) + 1;
    const changes = { ...moved, att, in_seq: att, preview: text, unanswered, snoozed_until: 0 } as Partial<Row>;
    const owner = reopened ? to : (was?.assignee ?? "");
    this.record("received", conv, "", "", changes, owner !== "", { text, media: [] });
  }

  /** Who is away, so that the next message takes a conversation from them. */
  readonly released = new Set<string>();
  /** A customer's message takes what is done to who had it last. */
  reopens = false;

  /** STOP, or START: appended, and nothing else moves. */
  opt(conv: string, out: boolean): void {
    if (this.row(conv) === undefined) return;
    const unseen = this.state.green.has(conv);
    const text = out ? "STOP" : "START";
    this.record("received", conv, "", "", { preview: text, opted_out: out ? this.nowMs() : 0 }, unseen, { text, media: [] });
  }

  /** A timer ends a snooze, or takes a conversation from a silent owner. */
  due(conv: string, what: "wake" | "silent"): void {
    const row = this.row(conv);
    if (row?.status !== "assigned") return;
    if (what === "silent") {
      if (row.snoozed_until === 0 && row.unanswered > 0) this.giveUp(row, "silent");
    } else if (row.snoozed_until > 0) {
      if (this.released.has(row.assignee)) this.giveUp(row, "woken");
      else this.record("woken", conv, "", "", { snoozed_until: 0, att: this.mark("att") }, true, { to: row.assignee, reason: "due" });
    }
  }

  private giveUp(row: Row, reason: string): void {
    const changes = { status: "unassigned", assignee: "", own_tok: this.mark("own"), att: this.mark("att"), snoozed_until: 0 } as Partial<Row>;
    this.state.prev.delete(row.id);
    this.record("returned", row.id, "", "", changes, false, { to: "", reason });
  }

  command(actor: string, name: string, args: Record<string, unknown>): Reply {
    const cid = String(args["cid"]);
    const stored = this.state.replies.get(cid);
    if (stored !== undefined) return stored;
    const reply = this.run(actor, name, args, cid);
    if (reply.ok) this.state.replies.set(cid, reply);
    this.keep();
    return reply;
  }

  seen(conv: string, att: string): boolean {
    const row = this.row(conv);
    if (row === undefined || att === "" || row.att !== att) return false;
    const { seen, green } = this.state;
    const key = `${conv}:${att}`;
    if (row.status === "unassigned" && !seen.has(key)) seen.add(key);
    else if (!(row.assignee === this.me && green.delete(conv))) return false;
    this.state.mv++;
    this.keep();
    return true;
  }

  /** A carrier's word on a message. */
  deliver(conv: string, n: number, state: "sent" | "delivered" | "failed", reason = ""): void {
    const thread = this.state.threads.get(conv) ?? [];
    const message = thread[n - 1];
    if (message === undefined || message[6] === "" || message[6] === state) return;
    const changed = [...message] as Message;
    changed[6] = state;
    this.state.threads.set(conv, thread.map((one) => (one === message ? changed : one)));
    const row = this.row(conv) as Row;
    const unseen = this.state.green.has(conv);
    const meta: Meta = { type: "delivery_changed", conv, actor: "", cid: "", unseen, n, state, row };
    meta.before = { status: row.status, assignee: row.assignee, att: row.att };
    if (reason) meta.reason = reason;
    this.emit(meta, {});
  }

  /** Go back by so many events: another history begins. Returns the command ids lost. */
  fork(back: number): string[] {
    const keep = Math.max(this.oldest - 1, this.state.seq - back);
    const lost = this.log.filter((entry) => entry.seq > keep && entry.meta.actor === this.me);
    this.log = this.log.filter((entry) => entry.seq <= keep);
    this.history.length = keep + 1;
    this.state = copy(this.history[keep] as State);
    this.forks++;
    return [...new Set(lost.map((entry) => entry.meta.cid ?? ""))].filter((cid) => cid !== "");
  }

  trim(): void {
    this.oldest = this.state.seq + 1;
  }

  private run(actor: string, name: string, args: Record<string, unknown>, cid: string): Reply {
    if (name === "compose") return this.compose(actor, args, cid);
    const conv = String(args["conv"]);
    const row = this.row(conv);
    if (row === undefined) return refusal("not_found", null);
    const tok = args["own_tok"];
    const fenced = ["transfer", "return", "undo", "snooze", "wake"].includes(name);
    if (fenced || (name === "done" && row.status === "assigned") || name === "reply") {
      const own = row.status === "assigned" && row.assignee === actor;
      if (name !== "undo" && !own) return refusal("not_owner", row);
      if (tok !== row.own_tok) return refusal("stale_token", row);
    }
    switch (name) {
      case "assign": {
        if (row.status === "assigned") {
          return row.assignee === actor ? this.done_(conv, true) : refusal("conflict", row);
        }
        this.toAssigned(row, actor, actor, cid, "assigned", false);
        return this.done_(conv);
      }
      case "transfer": {
        const to = String(args["to"]);
        if (to === row.assignee) return this.done_(conv, true);
        this.toAssigned(row, to, actor, cid, "transferred", true);
        return this.done_(conv, false, this.released.has(to) ? ["away"] : []);
      }
      case "return":
        this.toUnassigned(row, actor, cid, "returned");
        return this.done_(conv);
      case "done": {
        if (row.status !== "assigned" && tok !== row.own_tok) return refusal("stale_token", row);
        if (args["seen"] !== row.in_seq) return refusal("new_activity", row);
        if (row.status === "done") return this.done_(conv, true);
        const origin = row;
        if (row.status === "unassigned") {
          this.toAssigned(row, actor, actor, cid, "assigned", false);
        }
        this.toDone(this.row(conv) as Row, actor, cid, "done", origin);
        return this.done_(conv);
      }
      case "undo":
        return this.undo(row, actor, cid);
      case "reply": {
        if (row.opted_out > 0) return refusal("recipient_opted_out", row);
        const unseen = this.state.green.has(conv) && args["seen"] !== row.att;
        const text = String(args["text"]);
        this.record("replied", conv, actor, cid, { unanswered: 0, preview: text }, unseen, { text, media: [] }, "queued");
        return this.done_(conv);
      }
      case "note": {
        const unseen = this.state.green.has(conv);
        this.record("noted", conv, actor, cid, {}, unseen, { text: String(args["text"]) });
        return this.done_(conv);
      }
      case "snooze": {
        const until = Number(args["until_ms"]);
        this.record("snoozed", conv, actor, cid, { snoozed_until: until }, false, { to: actor, until_ms: until });
        return this.done_(conv);
      }
      case "wake": {
        if (row.snoozed_until === 0) return this.done_(conv, true);
        const unseen = this.state.green.has(conv);
        this.record("woken", conv, actor, cid, { snoozed_until: 0 }, unseen, { to: actor, reason: "owner" });
        return this.done_(conv);
      }
      case "unread": {
        const key = `${conv}:${row.att}`;
        const { seen, green } = this.state;
        let changed = false;
        if (actor === this.me && row.att !== "" && row.status === "unassigned") changed = seen.delete(key);
        if (actor === this.me && row.att !== "" && row.assignee === actor && !green.has(conv)) {
          green.add(conv);
          changed = true;
        }
        if (changed) this.state.mv++;
        return this.done_(conv, !changed);
      }
      default:
        throw new Error(`the model knows no ${name}`);
    }
  }

  private undo(row: Row, actor: string, cid: string): Reply {
    const prev = this.state.prev.get(row.id);
    if (prev === undefined || prev.tok !== row.own_tok || prev.actor !== actor) {
      return refusal("not_undoable", row);
    }
    if (prev.status === "done" && row.unanswered > 0) return refusal("not_undoable", row);
    const again = row.status === "done" ? { unanswered: prev.unanswered } : {};
    if (prev.status === "assigned") {
      this.toAssigned(row, prev.assignee, actor, cid, "undone", true, again);
    } else if (prev.status === "unassigned") {
      this.toUnassigned(row, actor, cid, "undone", again);
    } else {
      this.toDone(row, actor, cid, "undone", null);
    }
    this.state.prev.delete(row.id);
    return this.done_(row.id);
  }

  private compose(actor: string, args: Record<string, unknown>, cid: string): Reply {
    const customer = String(args["to"]);
    const known = this.rows().find((row) => row.customer === customer);
    if (known?.status === "assigned" && known.assignee !== actor) return refusal("conflict", known);
    if (known !== undefined && known.opted_out > 0) return refusal("recipient_opted_out", known);
    const conv = known?.id ?? `${this.id}.x${customer.slice(1)}`;
    const text = String(args["text"]);
    const moved = known?.status === "assigned" ? {} : { own_tok: this.mark("own") };
    const unread = known !== undefined && this.badge(known) !== "none";
    const unseen = known?.status === "assigned" ? this.state.green.has(conv) : unread && actor === this.me;
    this.state.prev.delete(conv);
    const changes = { ...moved, status: "assigned", assignee: actor, unanswered: 0, preview: text } as Partial<Row>;
    this.record("composed", conv, actor, cid, { ...changes, customer }, unseen, { text, media: [] }, "queued");
    return this.done_(conv);
  }

  private toAssigned(row: Row, to: string, actor: string, cid: string, type: Meta["type"], handed: boolean, more: Partial<Row> = {}): void {
    const unread = row.att !== "" && (to === this.me ? this.badge(row) !== "none" : true);
    const unseen = handed || unread;
    const changes: Partial<Row> = { ...more, status: "assigned", assignee: to, own_tok: this.mark("own"), snoozed_until: 0 };
    if (handed) changes.att = this.mark("att");
    this.way(row, actor, changes.own_tok as string);
    this.record(type, row.id, actor, cid, changes, unseen, { to });
  }

  private toUnassigned(row: Row, actor: string, cid: string, type: Meta["type"], more: Partial<Row> = {}): void {
    const att = this.mark("att");
    const changes = { ...more, status: "unassigned", assignee: "", own_tok: this.mark("own"), att, snoozed_until: 0 } as Partial<Row>;
    this.way(row, actor, changes.own_tok as string);
    if (actor === this.me) this.state.seen.add(`${row.id}:${att}`);
    this.record(type, row.id, actor, cid, changes, false, { to: "" });
  }

  private toDone(row: Row, actor: string, cid: string, type: Meta["type"], origin: Row | null): void {
    const changes = { status: "done", assignee: "", own_tok: this.mark("own"), att: "", unanswered: 0, snoozed_until: 0 } as Partial<Row>;
    if (origin !== null) this.way(origin, actor, changes.own_tok as string);
    this.record(type, row.id, actor, cid, changes, false, { to: "" });
  }

  private way(row: Row, actor: string, tok: string): void {
    const { status, assignee, unanswered } = row;
    this.state.prev.set(row.id, { status, assignee, actor, tok, unanswered });
  }

  private done_(conv: string, noop = false, warnings: readonly string[] = []): Reply {
    const { own_tok, att, n } = this.row(conv) as Row;
    const { seq, tip } = this.state;
    const result = { conv, inbox: this.id, seq, tip, own_tok, att, n, ...(noop ? { noop } : {}), ...(warnings.length > 0 ? { warnings } : {}) };
    return { ok: true, slug: "", result, cur: null };
  }

  private blue(row: Row): boolean {
    return !this.state.seen.has(`${row.id}:${row.att}`);
  }

  private mark(salt: string): string {
    return `${this.state.seq + 1}.${salt}${this.forks}`;
  }

  private record(type: Meta["type"], conv: string, actor: string, cid: string, changes: Partial<Row>, unseen: boolean, body: Body, state: "" | "queued" = ""): void {
    const { state: all } = this;
    const was = this.row(conv);
    all.lastMs = Math.max(this.nowMs(), all.lastMs + 1);
    const left = was?.status === "assigned" && changes.own_tok !== undefined ? { last_assignee: was.assignee } : {};
    const row: Row = {
      ...(was ?? blank(conv)),
      ...left,
      ...changes,
      n: (was?.n ?? 0) + 1,
      rev: all.seq + 1,
      last_ms: all.lastMs,
    };
    if (row.status === "assigned" && row.assignee === this.me && unseen) all.green.add(conv);
    else all.green.delete(conv);
    all.versions.set(conv, [...(all.versions.get(conv) ?? []), row]);
    const message: Message = [row.n, row.rev, row.last_ms, type, actor, cid, state, body];
    all.threads.set(conv, [...(all.threads.get(conv) ?? []), message]);
    const meta: Meta = { type, conv, actor, cid, unseen: row.status === "assigned" && unseen, n: row.n, row };
    if (state) meta.state = state;
    if (body.reason) meta.reason = body.reason;
    if (was !== undefined) {
      meta.before = { status: was.status, assignee: was.assignee, att: was.att };
    }
    this.emit(meta, body);
  }

  private emit(meta: Meta, body: Body): void {
    const { state } = this;
    const prev = state.tip;
    state.seq++;
    state.tip = `${state.seq}:${this.forks}:${(state.seq * 7919 + this.forks).toString(36)}`;
    this.log.push({ seq: state.seq, meta, body, prev, tip: state.tip });
    this.keep();
  }

  private keep(): void {
    this.history[this.state.seq] = copy(this.state);
  }
}

function copy(state: State): State {
  return {
    ...state,
    versions: new Map(state.versions),
    threads: new Map(state.threads),
    seen: new Set(state.seen),
    green: new Set(state.green),
    prev: new Map(state.prev),
    replies: new Map(state.replies),
  };
}

function blank(conv: string): Row {
  return {
    id: conv,
    our: "+14165550100",
    customer: `+1${conv.slice(conv.indexOf(".") + 2)}`,
    status: "done",
    assignee: "",
    own_tok: "",
    rev: 0,
    att: "",
    in_seq: "",
    last_ms: 0,
    waiting_since: 0,
    last_assignee: "",
    unanswered: 0,
    preview: "",
    n: 0,
    snoozed_until: 0,
    opted_out: 0,
  };
}

function refusal(slug: string, cur: Row | null): Reply {
  return { ok: false, slug, result: {}, cur };
}

export function viewOf(row: Row, me: string): View {
  if (row.status !== "assigned") return row.status;
  return row.assignee === me ? "mine" : "others";
}
