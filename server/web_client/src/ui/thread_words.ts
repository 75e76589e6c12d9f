/** Sentences about the lines of a thread. */
import type { Line } from "../contract";
import { returnedWords, RULES } from "./away_words";
import { reasonWords } from "./reasons";
import { lastingWords } from "./snooze_times";

/** Somebody's name: as who acts, or as whom it is done to ("You", "you"). */
type Naming = (id: string, acting?: boolean) => string;

export function isSystem(line: Line): boolean {
  return !["received", "replied", "composed", "noted", "answered", "posted"].includes(line.kind);
}

/** A system line; `owner` is who had the conversation before it, "" for nobody. */
export function systemWords(line: Line, owner: string, nameOf: Naming): string {
  const actor = nameOf(line.actor, true);
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
      if (RULES.has(line.why)) return returnedWords(line.why, owner && nameOf(owner, true), owner && nameOf(owner));
      return owner ? `Returned to the inbox: ${nameOf(owner)} left it` : "Returned to the inbox";
    case "done":
      return line.actor ? `${actor} marked this as done` : "Marked as done";
    case "undone":
      return `${actor} undid the last change`;
    case "snoozed":
      return line.untilMs ? `${actor} snoozed this until ${lastingWords(line.untilMs, line.atMs)}` : `${actor} snoozed this`;
    case "woken":
      return line.actor ? `${actor} woke this` : "Woken";
    default:
      return "";
  }
}

/** Whether there is more to say than who had it before and who has it now: by whom, why, with which note. */
export const explains = (line: Line, owner: string): boolean =>
  line.kind === "undone" || line.note !== "" || line.why !== "" || (line.actor !== owner && line.actor !== line.to);

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
      return line.reason ? `Failed: ${reasonWords(line.reason)}` : "Failed";
    default:
      return "";
  }
}
