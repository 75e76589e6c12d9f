/** Signing in by password or at the identity provider, and the ways in by a link; one-click links are exchanged before any page is shown. */
import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { offered, takeSecret, words } from "./entering";
import { lazy } from "./lazy";
import { ProviderLink, providerWords } from "./provider";

const Setup = lazy(() => import("./setup").then((part) => part.Setup));
const Invite = lazy(() => import("./invite").then((part) => part.Invite));
const NotSetUp = lazy(() => import("./setup").then((part) => part.NotSetUp));

/** What became of an attempt; the session cookie is set when it went well. */
export type SignInResult = { readonly ok: true } | { readonly ok: false; readonly message: string; readonly retryAfterS: number };

export interface SignInProps {
  /** Why somebody who was here, or came by a link, has to sign in. */
  readonly reason: string;
  readonly withPassword: (user: string, password: string) => Promise<SignInResult>;
  readonly onDone: () => void;
}

export function SignIn(props: SignInProps): JSX.Element {
  const empty = useSignal(false);
  const provider = useSignal("");
  const toSetUp = location.pathname === "/setup";
  const invited = useRef(location.hash.startsWith("#invite=")).current;
  useEffect(() => {
    if (toSetUp || invited) return;
    void offered().then((answer) => {
      empty.value = answer.setup;
      provider.value = answer.oidc;
    });
  }, []);
  if (toSetUp) return <Setup onDone={props.onDone} />;
  if (invited) return <Invite onDone={props.onDone} />;
  return empty.value ? <NotSetUp /> : <ByPassword {...props} provider={provider.value} />;
}

function ByPassword({ reason, withPassword, onDone, provider }: SignInProps & { readonly provider: string }): JSX.Element {
  const user = useSignal("");
  const password = useSignal("");
  const problem = useSignal("");
  /** What came back from the identity provider instead of a session. */
  const failed = useRef<string | null>(null);
  failed.current ??= takeSecret("error");
  const busy = useSignal(false);
  const first = useRef<HTMLInputElement>(null);

  const attempt = async (asked: Promise<SignInResult>): Promise<void> => {
    busy.value = true;
    problem.value = "";
    failed.current = "";
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
    first.current?.focus();
  }, []);

  const submit = (event: Event): void => {
    event.preventDefault();
    if (busy.peek()) return;
    if (!user.peek().trim() || !password.peek()) problem.value = "Write your user and your password.";
    else void attempt(withPassword(user.peek().trim(), password.peek()));
  };

  const why = problem.value || providerWords(failed.current, provider || "your organisation");
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
        <div role="alert">{why ? <p class="problem">{why}</p> : null}</div>
        <button type="submit" class="button button-primary button-wide" aria-disabled={busy.value}>
          {busy.value ? "Signing in…" : "Sign in"}
        </button>
        {provider ? <ProviderLink name={provider} /> : null}
      </form>
    </main>
  );
}
