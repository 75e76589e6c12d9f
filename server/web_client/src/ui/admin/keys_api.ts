/** Bots and API keys over HTTP. */
import { ask, items } from "./api";
import type { Key, MadeKey, Scope } from "./key_words";

const of = (user: string): string => `/v1/admin/users/${encodeURIComponent(user)}`;

export const keysOf = (user: string): Promise<readonly Key[]> => items<Key>(`${of(user)}/tokens`);

export const makeKey = (user: string, label: string, scopes: readonly Scope[]): Promise<MadeKey> =>
  ask<MadeKey>("POST", `${of(user)}/tokens`, { label, scopes });

export const revokeKey = (user: string, key: string): Promise<void> =>
  ask<void>("DELETE", `${of(user)}/tokens/${encodeURIComponent(key)}`);

/** A bot signs in by its keys alone, and works in these inboxes. */
export async function addBot(id: string, name: string, inboxes: readonly string[]): Promise<void> {
  await ask("POST", "/v1/admin/users", { id, name, bot: true });
  for (const inbox of inboxes) await ask("PUT", `/v1/admin/inboxes/${encodeURIComponent(inbox)}/members/${encodeURIComponent(id)}`);
}
