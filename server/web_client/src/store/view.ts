/** What a row means to this viewer. */
import type { ConversationView, View } from "../contract";
import type { Row } from "../wire";
import type { Marks } from "./marks";
import { inboxOf } from "./rows";

/** The list a conversation stands in. */
export function viewOf(row: Row, me: string): View {
  if (row.status === "done") return "done";
  if (row.status === "unassigned") return "unassigned";
  return row.assignee === me ? "mine" : "others";
}

/** What an own look or "mark unread" says before the server's marks do. */
export type Glance = "read" | "unread" | "";

/** Whether a conversation is unread for me, and of which kind. */
export function badgeOf(
  shown: Row,
  confirmed: Row,
  me: string,
  marks: Marks,
  glance: Glance,
): ConversationView["badge"] {
  const place = viewOf(shown, me);
  if (shown.att === "" || (place !== "unassigned" && place !== "mine")) return "none";
  const kind = place === "mine" ? "green" : "blue";
  if (glance !== "") return glance === "read" ? "none" : kind;
  // A claim of mine is green if it was unread; what I put back myself is read.
  const before = viewOf(confirmed, me);
  if (before === place) {
    return (place === "mine" ? marks.green(shown.id) : marks.blue(shown.id)) ? kind : "none";
  }
  return place === "mine" && before === "unassigned" && marks.blue(shown.id) ? kind : "none";
}

/** The whole of it. */
export function conversationView(facts: {
  readonly shown: Row;
  readonly badge: ConversationView["badge"];
  readonly me: string;
  readonly pending: ConversationView["pending"];
  readonly undoUntilMs: number;
}): ConversationView {
  const { shown, badge, me } = facts;
  const owned = shown.status === "assigned";
  return {
    row: shown,
    inbox: inboxOf(shown.id),
    flag: owned ? (shown.assignee === me ? "mine" : "other") : "none",
    badge,
    count: badge === "none" ? 0 : Math.max(1, shown.unanswered),
    pending: facts.pending,
    undoUntilMs: facts.undoUntilMs,
  };
}
