/** Sentences made of what the store reports. */
import type { ConversationView } from "../contract";

type Naming = (id: string) => string;

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
