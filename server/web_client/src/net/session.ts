/** The HTTP calls of the session: who is signed in, and signing out. */

export interface SessionUser {
  readonly id: string;
  readonly name: string;
  readonly role: "member" | "admin";
}

export interface SessionInfo {
  readonly signed_in: boolean;
  readonly user?: SessionUser;
  readonly demo: boolean;
  readonly loopback: boolean;
  /** This person may use the phone simulator. */
  readonly simulator: boolean;
  readonly build: string;
  readonly version: string;
}

const TIMEOUT_MS = 15_000;

/** An answer of whatever status; rejects without one. */
export function call(method: string, path: string, body?: unknown): Promise<Response> {
  return fetch(path, {
    method,
    credentials: "same-origin",
    cache: "no-store",
    signal: AbortSignal.timeout(TIMEOUT_MS),
    ...(body === undefined
      ? {}
      : { headers: { "content-type": "application/json" }, body: JSON.stringify(body) }),
  });
}

/** Who is signed in; null when the server cannot be asked. */
export async function getSession(): Promise<SessionInfo | null> {
  try {
    const response = await call("GET", "/v1/session");
    return response.ok ? ((await response.json()) as SessionInfo) : null;
  } catch {
    return null;
  }
}

/** End this session, or all of mine; false when the server could not be told. */
export async function signOut(everywhere = false): Promise<boolean> {
  try {
    const response = await call("DELETE", everywhere ? "/v1/sessions" : "/v1/session");
    return response.ok || response.status === 401;
  } catch {
    return false;
  }
}
