/**
 * My acts the server has not confirmed: view = confirmed (+) pending. A refusal drops the act, an
 * acknowledgement keeps it until its event has been applied, in whichever order the two come; the
 * server's row then stands by itself, so nothing is ever taken back by hand.
 */
import type { Verb } from "../contract";
import type { Row } from "../wire";
import { inboxOf } from "./rows";
import type { Ack, EventMeta } from "./shapes";
import type { Unconfirmed } from "./unconfirmed";

export interface Act {
  readonly cid: string;
  readonly conv: string;
  readonly verb: Verb;
  /** The owner afterwards, "" for nobody. */
  readonly to: string;
  /** For undo: the status it goes back to. */
  readonly status: string;
  /** The ownership token it was decided on. */
  readonly base: string;
  /** For snooze: until when. */
  readonly untilMs: number;
  /** What the row's time becomes: the server's clock as known here. */
  readonly ms: number;
  acked: Ack | null;
}

const EVENT_OF: Readonly<Record<Verb, string>> = {
  assign: "assigned",
  transfer: "transferred",
  return: "returned",
  done: "done",
  undo: "undone",
  unread: "",
  snooze: "snoozed",
  wake: "woken",
};

/** The row as it will be if the act succeeds. */
function applied(row: Row, act: Act): Row {
  if (act.verb === "unread") return row;
  const ack = act.acked;
  const last_ms = Math.max(row.last_ms, act.ms);
  // The owner and the token stay.
  if (act.verb === "snooze" || act.verb === "wake") return { ...row, snoozed_until: act.untilMs, last_ms };
  const status =
    act.verb === "return" ? "unassigned" : act.verb === "done" ? "done" : act.status || "assigned";
  return {
    ...row,
    status: status as Row["status"],
    assignee: status === "assigned" ? act.to : "",
    own_tok: ack?.own_tok ?? row.own_tok,
    att: status === "done" ? "" : (ack?.att ?? row.att),
    snoozed_until: 0,
    last_ms,
  };
}

/** Acts in flight, by conversation; each conversation has at most a few. */
export class PendingActs implements Unconfirmed {
  private readonly acts = new Map<string, Act[]>();

  get size(): number {
    return this.acts.size;
  }

  conversations(): IterableIterator<string> {
    return this.acts.keys();
  }

  add(act: Act): void {
    const known = this.acts.get(act.conv);
    if (known === undefined) this.acts.set(act.conv, [act]);
    else known.push(act);
  }

  has(conv: string): boolean {
    return this.acts.has(conv);
  }

  /** The newest act that shows on this row; "" for none. */
  verb(row: Row): Verb | "" {
    const shown = this.shown(row);
    return shown[shown.length - 1]?.verb ?? "";
  }

  /** The confirmed row with my acts laid over it. */
  over(row: Row): Row {
    if (!this.acts.has(row.id)) return row;
    return this.shown(row).reduce(applied, row);
  }

  /** The act was refused, or will never be answered. */
  drop(conv: string, cid: string): void {
    this.keep(conv, (act) => act.cid !== cid);
  }

  /** The act took effect; `reached` is up to where the inbox's events are applied. */
  ack(conv: string, cid: string, result: Ack, reached: number): void {
    const act = this.acts.get(conv)?.find((known) => known.cid === cid);
    if (act === undefined) return;
    if (result.noop || act.verb === "unread" || reached >= result.seq) this.drop(conv, cid);
    else act.acked = result;
  }

  /** An event of this conversation has been applied. */
  event(conv: string, seq: number, meta: EventMeta): void {
    if (!this.acts.has(conv)) return;
    this.keep(conv, (act) => {
      if (act.acked !== null) return act.acked.seq > seq;
      return !(act.cid === meta.cid && EVENT_OF[act.verb] === meta.type);
    });
  }

  /** Events of the inbox are applied up to `seq`; returns the conversations that may look different. */
  reached(inbox: string, seq: number): string[] {
    const moved: string[] = [];
    for (const [conv, acts] of [...this.acts]) {
      if (inboxOf(conv) !== inbox) continue;
      if (!acts.some((act) => act.acked !== null && act.acked.seq <= seq)) continue;
      this.keep(conv, (act) => act.acked === null || act.acked.seq > seq);
      moved.push(conv);
    }
    return moved;
  }

  /** A row as of `rev` is known by another way than its event. */
  row(conv: string, rev: number): void {
    if (this.acts.has(conv)) this.keep(conv, (act) => act.acked === null || act.acked.seq > rev);
  }

  private shown(row: Row): Act[] {
    const acts = this.acts.get(row.id) ?? [];
    return acts.filter((act) =>
      act.acked !== null
        ? act.acked.seq > row.rev
        : act.verb === "unread" || act.base === row.own_tok,
    );
  }

  private keep(conv: string, wanted: (act: Act) => boolean): void {
    const left = (this.acts.get(conv) ?? []).filter(wanted);
    if (left.length === 0) this.acts.delete(conv);
    else this.acts.set(conv, left);
  }
}
