/** Signing in over HTTP: loaded when somebody does. */
import { call, type SessionUser } from "./session";

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

export function signIn(user: string, password: string): Promise<SignIn> {
  return enter("/v1/session", { user, password });
}

/** With the single-use code of a link. */
export function signInByCode(code: string): Promise<SignIn> {
  return enter("/v1/session/link", { code });
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
