import "./styles/index.css";
import { getSession, signIn, signInByCode, type SignIn } from "./net/session";
import { createStore } from "./store";
import { boot } from "./ui/boot";
import type { SignInResult } from "./ui/sign_in";

async function result(asked: Promise<SignIn>): Promise<SignInResult> {
  const answer = await asked;
  return answer.ok ? { ok: true } : { ok: false, message: answer.detail, retryAfterS: answer.retryAfterS };
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
  };
  boot(root, session, createStore);
}
