import "./styles/index.css";
import { getSession } from "./net/session";
import type { SignIn } from "./net/sign_in";
import { createStore } from "./store";
import { boot } from "./ui/boot";
import type { SignInResult } from "./ui/sign_in";

const loadSignIn = () => import("./net/sign_in");
const UNREACHABLE: SignIn = { ok: false, code: "offline", detail: "The server cannot be reached. Try again.", retryAfterS: 0 };

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
    withPassword: (user: string, password: string) => result(loadSignIn().then(({ signIn }) => signIn(user, password), () => UNREACHABLE)),
    withCode: (code: string) => result(loadSignIn().then(({ signInByCode }) => signInByCode(code))),
  };
  boot(root, session, createStore);
}
