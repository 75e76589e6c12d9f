/** The team in words: people, invitations, and what reassigning has brought about. */

export type Role = "member" | "admin";

export interface Teammate {
  readonly id: string;
  readonly name: string;
  readonly role: Role;
  readonly active: boolean;
  readonly bot: boolean;
}

/** An inbox as far as the team's page has to know it; also one that is not live yet. */
export interface TeamInbox {
  readonly id: string;
  readonly name: string;
  readonly members: readonly string[];
}

export interface Invitation {
  readonly id: string;
  readonly user: string;
  readonly name: string;
  readonly role: Role;
  readonly inboxes: readonly string[];
  readonly by: string;
  readonly expires_at: string;
}

/** The only time that the link is known. */
export interface MadeInvitation extends Invitation {
  readonly link: string;
}

export interface Reassigned {
  readonly moved: number;
  readonly left: readonly { readonly conv: string; readonly code: string }[];
}

export const ROLES: readonly (readonly [Role, string])[] = [
  ["member", "Member"],
  ["admin", "Admin"],
];

export const roleWords = (role: Role): string => (role === "admin" ? "Admin" : "Member");

/** People, not bots: who works here first, each part by name. */
export function inOrder(users: readonly Teammate[]): readonly Teammate[] {
  return users
    .filter(({ bot }) => !bot)
    .sort((a, b) => Number(b.active) - Number(a.active) || a.name.localeCompare(b.name) || (a.id < b.id ? -1 : 1));
}

/** Names of these inboxes; the id of one that is gone. */
export const inboxNames = (ids: readonly string[], inboxes: readonly TeamInbox[]): string =>
  ids.map((id) => inboxes.find((inbox) => inbox.id === id)?.name ?? id).join(", ");

/** Those of `user`. */
export const inboxesOf = (user: string, inboxes: readonly TeamInbox[]): string =>
  inboxes
    .filter(({ members }) => members.includes(user))
    .map(({ name }) => name)
    .join(", ");

/** Why somebody cannot be invited like this; "" when it can be tried. */
export function inviteProblem(name: string, id: string): string {
  if (!name.trim()) return "Write the name of the person: it is what colleagues see.";
  return /^[a-z0-9_-]*$/.test(id.trim()) ? "" : "An id is made of small letters, digits, dashes and underscores. Leave it empty to have one made of the name.";
}

/** Who can be given somebody's conversations: of one inbox, its members alone. */
export function receivers(user: string, people: readonly Teammate[], inbox: TeamInbox | undefined): readonly Teammate[] {
  return people.filter(({ id, active }) => active && id !== user && (!inbox || inbox.members.includes(id)));
}

/** "1 conversation", "12 conversations" */
export const conversationsWords = (count: number): string => (count === 1 ? "1 conversation" : `${count} conversations`);

/** What went over; `to` is a name, null for the inboxes. */
export function movedWords(moved: number, from: string, to: string | null): string {
  if (!moved) return `No conversation of ${from} was moved.`;
  return to === null ? `${conversationsWords(moved)} of ${from} returned to the inboxes.` : `${conversationsWords(moved)} of ${from} moved to ${to}.`;
}

const CHANGED = "changed while this was running";
const LEFT: Readonly<Record<string, string>> = {
  stale_token: CHANGED,
  not_owner: CHANGED,
  conflict: CHANGED,
  not_found: "no longer there",
  forbidden: "you may not move it",
};

/** Why one stayed. */
export function leftWords(code: string, to: string | null): string {
  if (code === "target_not_member") return `${to ?? "nobody"} is not a member of its inbox`;
  return LEFT[code] ?? `refused (${code})`;
}
