/** Sentences about the lines of a thread. */
import type { Line } from "../contract";

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
