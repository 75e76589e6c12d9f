/** From an address to the right page: signing in first where that is needed. */
import { signal } from "@preact/signals";
import { render, type JSX } from "preact";
import type { Store } from "../contract";
import { App } from "./app";
import { Empty } from "./bits";
import type { Surroundings } from "./context";
import { closeDialog } from "./dialog_state";
import { SignIn } from "./parts";
import { startPrefs } from "./prefs";
import { format, go, parse, route, startRouting } from "./route";
import { startScreen } from "./screen";
import type { SignInResult } from "./sign_in";

/** What the page asks of the session over HTTP. */
export interface SessionPort {
  /** Rejects when the server does not answer. */
  current(): Promise<Surroundings & { readonly signedIn: boolean }>;
  withPassword(user: string, password: string): Promise<SignInResult>;
  withCode(code: string): Promise<SignInResult>;
}

type Stage =
  | { readonly at: "starting" }
  | { readonly at: "unreachable" }
  | { readonly at: "sign-in"; readonly reason: string }
  | { readonly at: "inside"; readonly store: Store; readonly about: Surroundings };

const RETRY_MS = 3_000;

/**
 * The code of a one-click link, taken out of the address at once: it must not stay in the history. What else stands
 * there is for the sign-in page's parts to take.
 */
function takeCode(): string {
  const code = new URLSearchParams(location.hash.slice(1)).get("code") ?? "";
  if (code) history.replaceState(null, "", location.pathname + location.search);
  return code;
}

/** Where to go after signing in: what was asked for, if it is a page of ours. */
function wanted(): string {
  const next = new URLSearchParams(location.search).get("next") ?? "/";
  const [path = "/", query = ""] = next.split("?");
  const asked = parse(path, query);
  return format(asked.page === "sign-in" ? parse("/", "") : asked);
}

function toSignIn(): void {
  if (route.peek().page === "sign-in") return;
  const next = format(route.peek());
  history.replaceState(null, "", `/sign-in?next=${encodeURIComponent(next)}`);
}

export function boot(root: HTMLElement, session: SessionPort, createStore: () => Store): void {
  const stage = signal<Stage>({ at: "starting" });
  /** A store that was signed out is not used again: the page begins anew. */
  let used = false;

  const enter = (about: Surroundings): void => {
    used = true;
    const store = createStore();
    stage.value = { at: "inside", store, about };
    store.link.subscribe((link) => {
      if (link.state !== "signed_out") return;
      queueMicrotask(() => {
        closeDialog();
        toSignIn();
        stage.value = { at: "sign-in", reason: link.reason };
      });
    });
  };

  const begin = async (code: string): Promise<void> => {
    let unused = code;
    let reason = "";
    try {
      if (code) {
        const result = await session.withCode(code);
        unused = "";
        reason = result.ok ? "" : result.message;
      }
      const now = await session.current();
      // Somebody signed in may open the link of a set-up, or somebody else's invitation.
      if (now.signedIn && !reason && !location.hash) {
        if (route.peek().page === "sign-in") leave();
        enter(now);
        return;
      }
      toSignIn();
      stage.value = { at: "sign-in", reason };
    } catch {
      stage.value = { at: "unreachable" };
      setTimeout(() => void begin(unused), RETRY_MS);
    }
  };

  /** From the sign-in page to what was wanted. */
  const leave = (): void => {
    const [path = "/", query = ""] = wanted().split("?");
    go(parse(path, query), true);
  };

  const signedIn = (): void => {
    if (used) location.replace(wanted());
    else {
      leave();
      void begin("");
    }
  };

  function Root(): JSX.Element | null {
    const now = stage.value;
    switch (now.at) {
      case "starting":
        return null;
      case "unreachable":
        return (
          <main class="sign-in">
            <Empty title="The server does not answer">This page tries again by itself.</Empty>
          </main>
        );
      case "sign-in":
        return (
          <SignIn
            key={now.reason}
            reason={now.reason}
            withPassword={session.withPassword}
            onDone={signedIn}
          />
        );
      case "inside":
        return <App shared={now} />;
    }
  }

  startPrefs();
  const code = takeCode();
  startRouting();
  startScreen();
  render(<Root />, root);
  void begin(code);
}
