/** Entries of the audit log as sentences. */

import { phoneNumber } from "../format";
import { agentWords } from "../session_words";

export interface AuditEntry {
  readonly id: string;
  readonly at: string;
  /** User id; null for what the server does by itself. */
  readonly actor: string | null;
  readonly via: string;
  readonly address: string;
  /** The id of the token or session that it was done with. */
  readonly token: string | null;
  readonly action: string;
  readonly inbox: string | null;
  readonly conv: string | null;
  /** Whom or what it was done to: a user, a number, a key … */
  readonly target: string;
  readonly before: unknown;
  readonly after: unknown;
  readonly detail: unknown;
}

export interface Names {
  readonly person: (id: string) => string;
  readonly inbox: (id: string) => string;
  /** "+1 416 555 0142", or "a conversation" where it is not known. */
  readonly conversation: (id: string) => string;
}

/** A field of what stood before or stands after; "" where there is none. */
export function fact(of: unknown, name: string): string {
  const value = of !== null && typeof of === "object" ? (of as Readonly<Record<string, unknown>>)[name] : undefined;
  if (Array.isArray(value)) return value.map(String).join(", ");
  if (value !== null && typeof value === "object") {
    return Object.entries(value).map(([part, is]) => `${actionWords(part)} ${is === "" ? "default" : String(is)}`).join(", ");
  }
  return value === undefined || value === null || value === "" ? "" : String(value);
}

const VIA: Readonly<Record<string, string>> = {
  web: "Page", api: "API", socket: "Websocket", cli: "Command line", carrier: "Carrier", system: "Server",
};

export const viaWords = (via: string): string => VIA[via] ?? via;

/** An action's name in words: "take_over" as "take over". */
export const actionWords = (action: string): string => action.replace(/[._-]+/g, " ");

type Said = (entry: AuditEntry, names: Names) => string;

const conv: Said = ({ conv }, names) => (conv ? names.conversation(conv) : "a conversation");
const had = ({ before }: AuditEntry, names: Names): string => {
  const id = fact(before, "assignee");
  return id ? names.person(id) : "";
};
const from = (entry: AuditEntry, names: Names): string => {
  const owner = had(entry, names);
  return owner && fact(entry.before, "assignee") !== entry.actor ? ` from ${owner}` : "";
};
const to = ({ after, target }: AuditEntry, names: Names): string => names.person(fact(after, "assignee") || (target));

const whom = ({ target }: AuditEntry, names: Names): string => names.person(target);
/** As it is called now; one that is gone, or not there yet, as the entry calls it. */
const which = ({ target, before, after }: AuditEntry, names: Names): string => {
  const now = names.inbox(target);
  return now === target ? fact(after, "name") || fact(before, "name") || target : now;
};
const owner = ({ detail }: AuditEntry, names: Names): string => names.person(fact(detail, "user"));
const account = ({ target, before, after }: AuditEntry): string => fact(after, "name") || fact(before, "name") || target;
const label = ({ detail, target }: AuditEntry): string => `“${fact(detail, "label") || target}”`;

/** The name of a channel or a contact as the entry has it, behind these words; "" where it has none. */
const called = ({ before, after, detail }: AuditEntry, words: string): string => {
  const name = fact(after, "name") || fact(before, "name") || fact(detail, "name");
  return name && words + name;
};
const member = ({ detail }: AuditEntry, names: Names): string => names.person(fact(detail, "in") || fact(detail, "out")) || "somebody";

const SAID: Readonly<Record<string, Said>> = {
  // Ownership
  assign: (entry, names) => {
    const reason = fact(entry.detail, "reason");
    if (reason === "reopened") return `gave ${conv(entry, names)} back to ${to(entry, names)}`;
    return reason === "compose" ? `began a conversation with ${conv(entry, names)}` : `took ${conv(entry, names)}`;
  },
  dispatch: (entry, names) => `assigned ${conv(entry, names)} to ${to(entry, names)}`,
  transfer: (entry, names) => `transferred ${conv(entry, names)}${from(entry, names)} to ${to(entry, names)}`,
  take_over: (entry, names) => `took over ${conv(entry, names)}${from(entry, names)}`,
  return: (entry, names) => `returned ${conv(entry, names)}${from(entry, names)} to the inbox`,
  done: (entry, names) => `marked ${conv(entry, names)} as done`,
  undo: (entry, names) => `undid the last change of ${conv(entry, names)}`,
  retry: (entry, names) => `sent a failed message to ${conv(entry, names)} again`,
  // Members
  user_created: (entry, names) => `added ${whom(entry, names)}`,
  user_changed: (entry, names) => `changed ${whom(entry, names)}`,
  user_deleted: (entry, names) => `deleted ${whom(entry, names)}`,
  user_deactivated: (entry, names) => `deactivated ${whom(entry, names)}`,
  user_reactivated: (entry, names) => `reactivated ${whom(entry, names)}`,
  role_changed: (entry, names) => `changed the role of ${whom(entry, names)}`,
  availability_set: (entry, names) => {
    const who = entry.target === entry.actor ? "themselves" : whom(entry, names);
    return `set ${who} as ${fact(entry.after, "away") ? "away" : "available"}`;
  },
  members_changed: (entry, names) => `changed the members of ${which(entry, names)}`,
  // Inboxes and numbers
  inbox_created: (entry, names) => `created the inbox ${which(entry, names)}`,
  inbox_changed: (entry, names) => `changed the inbox ${which(entry, names)}`,
  inbox_deleted: (entry, names) => `deleted the inbox ${which(entry, names)}`,
  route_created: ({ target }) => `added the number ${phoneNumber(target)}`,
  route_changed: ({ target }) => `changed the number ${phoneNumber(target)}`,
  route_deleted: ({ target }) => `removed the number ${phoneNumber(target)}`,
  unrouted_discarded: ({ target, detail }) => `discarded ${fact(detail, "messages") || "the"} messages kept for ${phoneNumber(target)}`,
  carrier_created: (entry) => `added the carrier account ${account(entry)}`,
  carrier_changed: (entry) => `changed the carrier account ${account(entry)}`,
  carrier_secret_replaced: (entry) => `replaced the secret of the carrier account ${account(entry)}`,
  carrier_deleted: (entry) => `deleted the carrier account ${account(entry)}`,
  organisation_changed: () => "changed the organisation",
  hook_created: () => "added a webhook",
  hook_changed: () => "changed a webhook",
  hook_deleted: () => "deleted a webhook",
  audit_exported: () => "exported the audit log",
  invite_created: () => "invited a team member",
  invite_deleted: () => "withdrew an invitation",
  // Channels, contacts, and what is kept
  channel_created: (entry) => `created the channel ${called(entry, "")}`.trimEnd(),
  channel_renamed: (entry) => `renamed a channel${called(entry, " to ")}`,
  channel_archived: (entry) => `archived ${called(entry, "the channel ") || "a channel"}`,
  channel_reopened: (entry) => `opened ${called(entry, "the channel ") || "a channel"} again`,
  channel_member_added: (entry, names) => `added ${member(entry, names)} to ${called(entry, "the channel ") || "a channel"}`,
  channel_member_removed: (entry, names) => `removed ${member(entry, names)} from ${called(entry, "the channel ") || "a channel"}`,
  contacts_import_started: () => "began to import contacts",
  contacts_imported: () => "imported contacts",
  contacts_exported: () => "exported the contacts",
  contacts_merged: (entry) => `merged ${called(entry, "the contact ") || "a contact"} into another`,
  contact_deleted: (entry) => `deleted the contact ${called(entry, "") || entry.target}`,
  retention_changed: () => "changed how long messages are kept",
  hold: (entry, names) => `put ${entry.conv ? conv(entry, names) : "a room"} on hold`,
  release_hold: (entry, names) => `ended the hold of ${entry.conv ? conv(entry, names) : "a room"}`,
  organisation_exported: () => "exported the organisation",
  conversation_exported: (entry, names) => `exported ${entry.conv ? conv(entry, names) : "a conversation"}`,
  room_exported: () => "exported a room",
  // Signing in
  sign_in: () => "signed in",
  sessions_ended: (entry, names) => `ended the sessions of ${whom(entry, names)}`,
  password_set: (entry, names) => (entry.target === entry.actor ? "changed their password" : `set the password of ${whom(entry, names)}`),
  sign_out: () => "signed out",
  identity_linked: (entry, names) => `linked the identity of ${whom(entry, names)} at the provider`,
  identity_deleted: (entry, names) => `unlinked the identity of ${whom(entry, names)} at the provider`,
  session_revoked: (entry, names) => `ended a session of ${owner(entry, names)}`,
  token_created: (entry, names) => `created the API key ${label(entry)} of ${owner(entry, names)}`,
  token_revoked: (entry, names) => `revoked the API key ${label(entry)} of ${owner(entry, names)}`,
};

const REASONS: Readonly<Record<string, string>> = {
  departed: "the owner left", membership: "the owner left the inbox", removed: "the owner left the inbox", deactivated: "the owner was deactivated", timer: "nobody answered in time",
  away: "the owner was away", offline: "the owner was offline", silent: "the owner did not answer", woken: "the owner was away when it was due",
  reopened: "the customer wrote again",
};

/** Told by their sentences already. */
const TOLD = new Set(["id", "number", "assignee", "status", "reason", "n", "user", "label", "by", "in", "out", "archived", "merged"]);

/** Before and after, field by field: "name: Sales → Sales Team". */
export function changes({ before, after, detail }: AuditEntry, names: Names): string {
  const fields = new Set([before, after, detail].flatMap((of) => (of !== null && typeof of === "object" ? Object.keys(of) : [])));
  return [...fields]
    .filter((name) => !TOLD.has(name))
    .map((name) => change(name, shown(before, name, names), shown(after, name, names) || shown(detail, name, names)))
    .filter(Boolean)
    .join("; ");
}

function change(name: string, old: string, now: string): string {
  if (old === now) return "";
  return old ? `${actionWords(name)}: ${old} → ${now || "none"}` : `${actionWords(name)}: ${now}`;
}

/** As people read it: members by name, browsers in short. */
function shown(of: unknown, name: string, names: Names): string {
  const text = fact(of, name);
  if (name === "agent") return text && agentWords(text);
  return name.startsWith("members") && text ? text.split(", ").map(names.person).join(", ") : text;
}

const PEOPLE = /^(user_|role_|availability_|password_|sessions_|identity_)/;
const INBOXES = /^(inbox_|members_)/;

/** To whom or what, by its name; "" for what has none. */
export function targetName(entry: AuditEntry, names: Names): string {
  if (PEOPLE.test(entry.action)) return whom(entry, names);
  if (INBOXES.test(entry.action)) return which(entry, names);
  return entry.action.startsWith("route_") ? phoneNumber(entry.target) : "";
}

/** "took over +1 416 555 0142 from Ana": what follows the actor's name. */
export function sentence(entry: AuditEntry, names: Names): string {
  const said = SAID[entry.action];
  const reason = REASONS[fact(entry.detail, "reason")];
  if (said) return reason ? `${said(entry, names)}: ${reason}` : said(entry, names);
  return actionWords(entry.action);
}

/** What the log can be narrowed to. */
export const ACTIONS: readonly string[] = Object.keys(SAID);
