/** API keys and what they may, in words. */

export type Scope = "read" | "act" | "admin";

/** An API key without its secret. */
export interface Key {
  readonly id: string;
  readonly label: string;
  /** Empty: everything its user may. */
  readonly scopes: readonly Scope[];
  readonly created_at: string | null;
  readonly last_used_at: string | null;
}

/** A new key: the only time its secret is known. */
export interface MadeKey extends Key {
  readonly token: string;
}

export interface ScopeWords {
  readonly scope: Scope;
  readonly label: string;
  readonly about: string;
}

export const SCOPES: readonly ScopeWords[] = [
  { scope: "read", label: "Read", about: "See inboxes and conversations, and mark them as read." },
  { scope: "act", label: "Act", about: "Assign, reply, note, transfer, return and finish what is its user's." },
  { scope: "admin", label: "Administer", about: "Everything of these admin pages, taking over, and others' conversations." },
];

/** What a key of this user can be given: nobody hands out more than the user has. */
export const scopesFor = (role: "member" | "admin"): readonly ScopeWords[] =>
  role === "admin" ? SCOPES : SCOPES.filter(({ scope }) => scope !== "admin");

/** "Read, Act"; what the key was not narrowed to is everything its user may. */
export function scopeWords(scopes: readonly string[]): string {
  if (!scopes.length) return "Everything its user may";
  return SCOPES.filter(({ scope }) => scopes.includes(scope))
    .map(({ label }) => label)
    .join(", ");
}

/** Ready to paste into a shell. */
export const exportLine = (token: string): string => `export BATONBOX_TOKEN=${token}`;

/** An id made of a name as the server takes it: small letters, digits and dashes. */
export function idFrom(name: string): string {
  const plain = name.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();
  return plain.replace(/[^a-z0-9]+/g, "-").replace(/^-+|-+$/g, "").slice(0, 40);
}
