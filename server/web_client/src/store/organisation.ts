/** Who is there and which inboxes I may see: ORG frames. */
import type { InboxInfo, Person } from "../contract";

interface WireUser {
  readonly id: string;
  readonly name: string;
  readonly role: string;
  readonly active?: boolean;
  readonly bot?: boolean;
  readonly away?: Person["away"];
}

interface WireInbox {
  readonly id: string;
  readonly name: string;
  readonly numbers?: readonly string[];
  readonly members?: readonly string[];
  readonly kind?: string;
  readonly extension?: string;
  readonly members_may_dispatch?: boolean;
}

export interface Organisation {
  readonly me: Person;
  readonly people: ReadonlyMap<string, Person>;
  /** By name. */
  readonly inboxes: readonly InboxInfo[];
}

function person(user: WireUser): Person {
  const { id, name, role, active = true, bot = false, away = "" } = user;
  return { id, name, role: role === "admin" ? "admin" : "member", active, bot, away };
}

function info(inbox: WireInbox, me: string): InboxInfo {
  const { id, name, kind = "", extension = "", numbers = [], members = [] } = inbox;
  const membersMayDispatch = inbox.members_may_dispatch ?? false;
  return { id, name, kind, extension, numbers, members, joined: members.includes(me), membersMayDispatch };
}

function byName(a: InboxInfo, b: InboxInfo): number {
  return a.name.localeCompare(b.name) || (a.id < b.id ? -1 : 1);
}

function withInbox(org: Organisation, inbox: InboxInfo): Organisation {
  const others = org.inboxes.filter((other) => other.id !== inbox.id);
  return { ...org, inboxes: [...others, inbox].sort(byName) };
}

/** The organisation after an ORG frame; null: not to be understood before `state` has come. */
export function organisationAfter(
  org: Organisation | null,
  kind: string,
  data: Record<string, unknown>,
): Organisation | null {
  if (kind === "state") {
    const me = person(data["user"] as WireUser);
    const users = (data["users"] ?? []) as WireUser[];
    const inboxes = ((data["inboxes"] ?? []) as WireInbox[]).map((one) => info(one, me.id));
    const people = new Map(users.map((user) => [user.id, person(user)]));
    return { me, people: people.set(me.id, me), inboxes: inboxes.sort(byName) };
  }
  if (org === null) return null;
  const id = String(data["id"] ?? "");
  switch (kind) {
    case "inbox":
      return withInbox(org, info(data as unknown as WireInbox, org.me.id));
    case "inbox_gone":
      return { ...org, inboxes: org.inboxes.filter((inbox) => inbox.id !== id) };
    case "user": {
      const user = person(data as unknown as WireUser);
      const people = new Map(org.people).set(user.id, user);
      return { ...org, people, me: user.id === org.me.id ? user : org.me };
    }
    case "user_gone": {
      const people = new Map(org.people);
      people.delete(id);
      return { ...org, people };
    }
    default:
      return org;
  }
}
