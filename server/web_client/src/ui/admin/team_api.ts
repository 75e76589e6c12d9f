/** The team over HTTP. */
import { ask, items } from "./api";
import type { Invitation, MadeInvitation, Reassigned, Role, Teammate, TeamInbox } from "./team_words";

const INVITES = "/v1/admin/invites";
const USERS = "/v1/admin/users";
const of = (user: string): string => `${USERS}/${encodeURIComponent(user)}`;

export interface NewInvitation {
  readonly name: string;
  /** Left out: made of the name. */
  readonly user?: string;
  readonly role: Role;
  readonly inboxes: readonly string[];
}

export const team = (): Promise<readonly Teammate[]> => items<Teammate>(USERS);
export const teamInboxes = (): Promise<readonly TeamInbox[]> => items<TeamInbox>("/v1/admin/inboxes");
export const invitations = (): Promise<readonly Invitation[]> => items<Invitation>(INVITES);
export const invite = (whom: NewInvitation): Promise<MadeInvitation> => ask("POST", INVITES, whom);
export const revokeInvitation = (id: string): Promise<void> => ask("DELETE", `${INVITES}/${encodeURIComponent(id)}`);

export const changePerson = (user: string, change: { name?: string; role?: Role }): Promise<Teammate> => ask("PATCH", of(user), change);
export const setPassword = (user: string, password: string): Promise<void> => ask("PUT", `${of(user)}/password`, { password });
export const setAvailability = (user: string, away: boolean, release: boolean): Promise<void> => ask("PUT", `${of(user)}/availability`, { away, release });
export const deactivate = (user: string): Promise<Teammate> => ask("POST", `${of(user)}/deactivate`);
export const reactivate = (user: string, inboxes: readonly string[]): Promise<Teammate> => ask("POST", `${of(user)}/reactivate`, { inboxes });
export const deletePerson = (user: string): Promise<void> => ask("DELETE", of(user));

/** `to` null: back to the inboxes; `inbox` "": all of them. */
export const reassign = (user: string, to: string | null, inbox: string): Promise<Reassigned> =>
  ask("POST", `${of(user)}/reassign`, inbox ? { to, inbox } : { to });
