/** Coming in by a secret of a link: what the server is asked, and its answers for people. */
import type { SignInResult } from "./sign_in";

type Refusal = Extract<SignInResult, { ok: false }>;

const TIMEOUT_MS = 15_000;
const UNREACHABLE = "The server cannot be reached. Try again.";

/** The link's secret, taken out of the address at once: it must not stay in the history. */
export function takeSecret(name: string): string {
  const secret = new URLSearchParams(location.hash.slice(1)).get(name) ?? "";
  history.replaceState(null, "", location.pathname + location.search);
  return secret;
}

/** What a server says of itself to whoever is not signed in; `oidc`: what its identity provider is called, "" for none. */
export interface Offered {
  readonly setup: boolean;
  readonly oidc: string;
}

/** Also nothing when it cannot be asked. */
export async function offered(): Promise<Offered> {
  try {
    const response = await fetch("/v1/session", { credentials: "same-origin", cache: "no-store", signal: AbortSignal.timeout(TIMEOUT_MS) });
    const told = response.ok ? ((await response.json()) as { setup?: boolean; oidc?: { name: string } | null }) : {};
    return { setup: told.setup === true, oidc: told.oidc?.name ?? "" };
  } catch {
    return { setup: false, oidc: "" };
  }
}

/** Whether nobody has set this server up yet; false also when it cannot be asked. */
export async function unset(): Promise<boolean> {
  return (await offered()).setup;
}

async function refusal(response: Response): Promise<Refusal> {
  const retryAfterS = Number(response.headers.get("retry-after") ?? 0) || 0;
  const problem = (await response.json().catch(() => ({}))) as { detail?: string };
  return { ok: false, message: problem.detail ?? `The server answered ${response.status}. Try again.`, retryAfterS };
}

/** Ask for a session; the cookie is set when it went well. */
export function enter(path: string, body: unknown): Promise<SignInResult> {
  return post(path, body);
}

/** The answer's JSON, or why there is none. */
export async function post<T>(path: string, body: unknown): Promise<{ readonly ok: true; readonly value: T } | Refusal> {
  try {
    const response = await fetch(path, {
      method: "POST",
      credentials: "same-origin",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    return response.ok ? { ok: true, value: (await response.json()) as T } : await refusal(response);
  } catch {
    return { ok: false, message: UNREACHABLE, retryAfterS: 0 };
  }
}

/** Why it did not go well, for people. */
export function words(result: Refusal): string {
  if (!result.retryAfterS) return result.message;
  return `Too many attempts. Wait ${result.retryAfterS} s, then try again.`;
}

/** Why the new password cannot be taken; "" when it can. */
export function passwordProblem(password: string, again: string): string {
  if (password.length < 8) return "Choose a password of at least 8 characters.";
  return password === again ? "" : "The two passwords differ. Write the same one twice.";
}
