/** Sentences made of what the store reports. */
import type { ConversationView, Line } from "../contract";

type Naming = (id: string) => string;

export function isSystem(line: Line): boolean {
  return !["received", "replied", "composed", "noted"].includes(line.kind);
}

/** A system line; `owner` is who had the conversation before it, "" for nobody. */
export function systemWords(line: Line, owner: string, nameOf: Naming): string {
  const actor = nameOf(line.actor);
  switch (line.kind) {
    case "assigned":
      if (!line.actor) return `Assigned to ${nameOf(line.to)}`;
      return line.to === line.actor || !line.to
        ? `${actor} took this conversation`
        : `${actor} assigned this to ${nameOf(line.to)}`;
    case "transferred": {
      const what =
        line.to === line.actor ? `${actor} took this over` : `${actor} transferred this to ${nameOf(line.to)}`;
      return line.note ? `${what}: ${line.note}` : what;
    }
    case "returned":
      if (line.actor) return `${actor} returned this to the inbox`;
      return owner ? `Returned to the inbox: ${nameOf(owner)} left it` : "Returned to the inbox";
    case "done":
      return line.actor ? `${actor} marked this as done` : "Marked as done";
    case "undone":
      return `${actor} undid the last change`;
    default:
      return "";
  }
}

export function statusWords(view: ConversationView, nameOf: Naming): string {
  if (view.row.status === "done") return "Done";
  if (view.flag === "mine") return "Assigned to you";
  if (view.flag === "other") return `Assigned to ${nameOf(view.row.assignee)}`;
  return "Unassigned";
}

/** "12 new unassigned, 2 new for you" */
export function totalsWords(blue: number, green: number): string {
  const parts: string[] = [];
  if (blue) parts.push(`${blue} new unassigned`);
  if (green) parts.push(`${green} new for you`);
  return parts.join(", ");
}

const REFUSALS: Readonly<Record<string, string>> = {
  offline: "You are offline. Nothing was changed.",
  unknown: "No answer came. Look whether it took effect before you try again.",
  not_owner: "This conversation is not yours. Assign it to yourself first.",
  stale_token: "This conversation changed a moment ago. Look again, then decide.",
  new_activity: "The customer wrote again. Read it first, then mark this as done.",
  recipient_opted_out: "This customer opted out. They have to text START before you can write to them.",
  target_not_member: "That person is not a member of this inbox.",
  number_not_routed: "That number leads to no inbox at the moment. Ask an admin.",
  not_undoable: "Too late to undo: this conversation has changed since.",
  unavailable: "The server's store is unreachable. Nothing was changed; try again in a moment.",
  rate_limited: "That was too fast. Wait a moment, then try again.",
  forbidden: "You may not do that here. Ask an admin for access.",
};

/** A refusal for people; the server's own words where ours are missing. */
export const refusalWords = (slug: string, message: string): string =>
  REFUSALS[slug] ?? (message || `That did not work (${slug}).`);

export function deliveryWords(line: Line): string {
  switch (line.state) {
    case "sending":
      return "Sending…";
    case "waiting":
      return "Waiting for the connection";
    case "queued":
      return "Queued";
    case "sent":
      return "Sent";
    case "delivered":
      return "Delivered";
    case "failed":
      return line.reason ? `Failed: ${line.reason}` : "Failed";
    default:
      return "";
  }
}

/** Ids of those whom "@name" or "@id" in a note means. */
export function mentioned(text: string, people: Iterable<{ readonly id: string; readonly name: string }>): string[] {
  const small = text.toLocaleLowerCase();
  const found: string[] = [];
  for (const { id, name } of people) {
    const calls = [id, name, name.split(" ")[0] ?? ""].filter(Boolean).map((call) => "@" + call.toLocaleLowerCase());
    const named = calls.some((call) => {
      const at = small.indexOf(call);
      return at >= 0 && !/[\p{L}\p{N}_]/u.test(small[at + call.length] ?? " ");
    });
    if (named) found.push(id);
  }
  return found;
}
