/** Rows, events and messages with what a test does not care about filled in. */
import type { EventMeta } from "../src/store/shapes";
import type { Message, Row } from "../src/wire";

export function row(changes: Partial<Row> = {}): Row {
  return {
    id: "sales.c1",
    our: "+14165550100",
    customer: "+14165550199",
    status: "unassigned",
    assignee: "",
    own_tok: "1.own",
    rev: 1,
    att: "1.in",
    in_seq: "1.in",
    last_ms: 1000,
    waiting_since: 1000,
    last_assignee: "",
    unanswered: 1,
    preview: "Hi?",
    n: 1,
    snoozed_until: 0,
    opted_out: 0,
    ...changes,
  };
}

/** An event that leaves `after`; from `before` if there was one. */
export function meta(type: EventMeta["type"], after: Row, before?: Row, more: EventMeta | object = {}): EventMeta {
  const was = before && { status: before.status, assignee: before.assignee, att: before.att };
  return {
    type,
    conv: after.id,
    actor: "",
    cid: "",
    n: after.n,
    unseen: false,
    row: after,
    ...(was ? { before: was } : {}),
    ...more,
  };
}

export function message(n: number, changes: { seq?: number; kind?: Message[3]; cid?: string; state?: Message[6]; text?: string } = {}): Message {
  const { seq = n * 10, kind = "received", cid = "", state = "", text = `text ${n}` } = changes;
  return [n, seq, 1000 + n, kind, kind === "received" ? "" : "me", cid, state, { text, media: [] }];
}
