/** Signing in: by password, or by a one-click link whose code stands in the address's fragment. */
import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { useEffect, useRef } from "preact/hooks";

/** What became of an attempt; the session cookie is set when it went well. */
export type SignInResult = { readonly ok: true } | { readonly ok: false; readonly message: string; readonly retryAfterS: number };

export interface SignInProps {
  /** Why somebody who was here has to sign in again. */
  readonly reason: string;
  /** The link's code, "" without one. */
  readonly code: string;
  readonly withPassword: (user: string, password: string) => Promise<SignInResult>;
  readonly withCode: (code: string) => Promise<SignInResult>;
  readonly onDone: () => void;
}

function words(result: Extract<SignInResult, { ok: false }>): string {
  if (!result.retryAfterS) return result.message;
  return `Too many attempts. Wait ${result.retryAfterS} s, then try again.`;
}

export function SignIn({ reason, code, withPassword, withCode, onDone }: SignInProps): JSX.Element {
  const user = useSignal("");
  const password = useSignal("");
  const problem = useSignal("");
  const busy = useSignal(code !== "");
  const first = useRef<HTMLInputElement>(null);

  const attempt = async (asked: Promise<SignInResult>): Promise<void> => {
    busy.value = true;
    problem.value = "";
    const result = await asked;
    if (result.ok) {
      onDone();
      return;
    }
    busy.value = false;
    problem.value = words(result);
  };

  useEffect(() => {
    document.title = "Sign in · batonbox";
    if (code) void attempt(withCode(code));
    else first.current?.focus();
  }, []);

  const submit = (event: Event): void => {
    event.preventDefault();
    if (busy.peek()) return;
    if (!user.peek().trim() || !password.peek()) problem.value = "Write your user and your password.";
    else void attempt(withPassword(user.peek().trim(), password.peek()));
  };

  return (
    <main class="sign-in">
      <form class="sign-in-box" onSubmit={submit}>
        <p class="brand brand-large" aria-hidden="true">
          batonbox
        </p>
        <h1>Sign in</h1>
        {reason ? <p class="sign-in-reason">{reason}</p> : null}
        <label class="field">
          <span>User</span>
          <input ref={first} name="user" autocomplete="username" autocapitalize="none" spellcheck={false} value={user.value} onInput={(event) => (user.value = event.currentTarget.value)} />
        </label>
        <label class="field">
          <span>Password</span>
          <input type="password" name="password" autocomplete="current-password" value={password.value} onInput={(event) => (password.value = event.currentTarget.value)} />
        </label>
        <div role="alert">{problem.value ? <p class="problem">{problem.value}</p> : null}</div>
        <button type="submit" class="button button-primary button-wide" aria-disabled={busy.value}>
          {busy.value ? "Signing in…" : "Sign in"}
        </button>
      </form>
    </main>
  );
}
