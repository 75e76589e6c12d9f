/** Asking the server over HTTP on the admin pages: JSON both ways, a refusal in the server's words. */

const TIMEOUT_MS = 15_000;
const UNREACHABLE = "The server cannot be reached. Nothing is known to have changed. Try again.";

/** Why there is no answer; the message is for people. */
export class Problem extends Error {
  constructor(
    /** The problem's code, or "offline". */
    readonly code: string,
    message: string,
  ) {
    super(message);
  }
}

export interface Page<T> {
  readonly items: readonly T[];
  readonly next: string | null;
}

/** The session has ended: sign in, then come back to this page. */
function toSignIn(): void {
  location.replace(`/sign-in?next=${encodeURIComponent(location.pathname + location.search)}`);
}

export async function refusal(response: Response): Promise<Problem> {
  if (response.status === 401) toSignIn();
  const said = (await response.json().catch(() => ({}))) as { code?: string; detail?: string };
  return new Problem(said.code ?? "internal", said.detail ?? `The server answered ${response.status}. Try again.`);
}

/** The answer's JSON, undefined where there is none; rejects with a Problem, also when it is not wanted any more. */
export async function ask<T>(method: string, path: string, body?: unknown, outdated?: AbortSignal): Promise<T> {
  let response: Response;
  const late = AbortSignal.timeout(TIMEOUT_MS);
  try {
    response = await fetch(path, {
      method,
      credentials: "same-origin",
      cache: "no-store",
      signal: outdated ? AbortSignal.any([late, outdated]) : late,
      ...(body === undefined ? {} : { headers: { "content-type": "application/json" }, body: JSON.stringify(body) }),
    });
  } catch {
    throw new Problem("offline", UNREACHABLE);
  }
  if (!response.ok) throw await refusal(response);
  if (response.status === 204) return undefined as T;
  return (await response.json()) as T;
}

/** One page of a list; what is "" or null is left out of the query. */
export function page<T>(path: string, query: Readonly<Record<string, string | null>> = {}): Promise<Page<T>> {
  const given = Object.entries(query).filter((one): one is [string, string] => Boolean(one[1]));
  const search = new URLSearchParams(given).toString();
  return ask<Page<T>>("GET", search ? `${path}?${search}` : path);
}

/** A list that comes whole. */
export const items = async <T>(path: string): Promise<readonly T[]> => (await page<T>(path)).items;

/** What went wrong, for people. */
export function wordsOf(error: unknown): string {
  return error instanceof Problem ? error.message : "This page made a mistake. Reload it and try again.";
}
