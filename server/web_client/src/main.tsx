import "./styles/index.css";
import { getSession, signIn, signInByCode, type SignIn } from "./net/session";
import { startWorker } from "./pwa";
import { createStore } from "./store";
import { boot } from "./ui/boot";
import { go } from "./ui/route";
import type { SignInResult } from "./ui/sign_in";

async function result(asked: Promise<SignIn>): Promise<SignInResult> {
  const answer = await asked;
  return answer.ok ? { ok: true } : { ok: false, message: answer.detail, retryAfterS: answer.retryAfterS };
}

async function changePassword(old: string, fresh: string): Promise<string> {
  try {
    const response = await fetch("/v1/me/password", {
      method: "PUT",
      credentials: "same-origin",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ old, new: fresh }),
      signal: AbortSignal.timeout(15_000),
    });
    if (response.ok) return "";
    const { detail } = (await response.json()) as { detail?: string };
    return detail ?? `The server answered ${response.status}. Try again.`;
  } catch {
    return "The server cannot be reached. Try again.";
  }
}

const root = document.getElementById("app");
if (root) {
  const session = {
    async current() {
      const now = await getSession();
      if (!now) throw new Error("the server does not answer");
      return { signedIn: now.signed_in, simulator: now.simulator, demo: now.demo, version: now.version };
    },
    withPassword: (user: string, password: string) => result(signIn(user, password)),
    withCode: (code: string) => result(signInByCode(code)),
    changePassword,
  };
  boot(root, session, createStore);
  startWorker((conv) => go({ page: "inboxes", filter: "open", conv }));
}
