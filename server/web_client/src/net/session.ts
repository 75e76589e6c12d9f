/** The HTTP calls of the session: who is signed in, signing in and out. */

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

export type SignIn =
  | { readonly ok: true; readonly user: SessionUser }
  | {
      readonly ok: false;
      /** The problem's code, or "offline". */
      readonly code: string;
      readonly detail: string;
      /** Wait so long before trying again; 0: no need. */
      readonly retryAfterS: number;
    };

const TIMEOUT_MS = 15_000;

function call(method: string, path: string, body?: unknown): Promise<Response> {
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

export function signIn(user: string, password: string): Promise<SignIn> {
  return enter("/v1/session", { user, password });
}

/** With the single-use code of a link. */
export function signInByCode(code: string): Promise<SignIn> {
  return enter("/v1/session/link", { code });
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

async function enter(path: string, body: unknown): Promise<SignIn> {
  try {
    const response = await call("POST", path, body);
    if (response.ok) {
      const { user } = (await response.json()) as { user: SessionUser };
      return { ok: true, user };
    }
    return await refusal(response);
  } catch {
    const detail = "The server cannot be reached. Try again.";
    return { ok: false, code: "offline", detail, retryAfterS: 0 };
  }
}

async function refusal(response: Response): Promise<SignIn> {
  const retryAfterS = Number(response.headers.get("retry-after") ?? 0) || 0;
  try {
    const { code, detail } = (await response.json()) as { code?: string; detail?: string };
    return { ok: false, code: code ?? "internal", detail: detail ?? "", retryAfterS };
  } catch {
    const detail = `The server answered ${response.status}. Try again.`;
    return { ok: false, code: "internal", detail, retryAfterS };
  }
}
