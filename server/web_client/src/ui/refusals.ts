/** Refusals in words. */

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
