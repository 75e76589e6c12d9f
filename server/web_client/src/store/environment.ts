/** Everything of the browser the store touches, so that tests can be another browser. */
import type { ContactName } from "../contract";
import type { SocketLike } from "../net/socket";
import { lookup } from "../net/contacts";
import { getSession, signOut } from "../net/session";
import type { ChannelLike } from "../tabs/channel";
import type { LocksLike } from "../tabs/leader";
import type { StorageLike } from "../tabs/storage";
import { JSON_SUBPROTOCOL } from "../wire";

/** What wakes a connection. */
export type Wakeup = "online" | "offline" | "shown" | "restored" | "leaving";

export interface Environment {
  open(): SocketLike;
  /** What HELLO carries; empty: the session's cookie. */
  token(): string | Promise<string>;
  signedIn(): Promise<boolean | null>;
  signOut(everywhere: boolean): Promise<boolean>;
  /** Of these numbers those that are somebody's; null: one is no number. Rejects when the server cannot be asked. */
  lookup(numbers: readonly string[]): Promise<Readonly<Record<string, ContactName>> | null>;
  nowMs(): number;
  random(): number;
  later(ms: number, run: () => void): () => void;
  onLine(): boolean;
  /** Visible and focused. */
  attentive(): boolean;
  wakeups(heard: (wakeup: Wakeup) => void): () => void;
  unique(): string;
  readonly storage: StorageLike | null;
  readonly locks: LocksLike | null;
  channel(): ChannelLike | null;
}

function websocketUrl(): string {
  const { protocol, host } = globalThis.location;
  return `${protocol === "https:" ? "wss:" : "ws:"}//${host}/v1/ws`;
}

function storage(): StorageLike | null {
  try {
    return globalThis.localStorage ?? null;
  } catch {
    return null; // forbidden by the person's settings
  }
}

/** 128 random bits: `crypto.randomUUID` is missing on pages over plain HTTP. */
function unique(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

async function signedIn(): Promise<boolean | null> {
  return (await getSession())?.signed_in ?? null;
}

function wakeups(heard: (wakeup: Wakeup) => void): () => void {
  const gone = new AbortController();
  const { signal } = gone;
  const on = (target: EventTarget, type: string, then: () => void): void =>
    target.addEventListener(type, then, { signal });
  on(window, "online", () => heard("online"));
  on(window, "offline", () => heard("offline"));
  on(window, "pageshow", (): void => heard("restored"));
  on(window, "pagehide", () => heard("leaving"));
  on(window, "focus", () => heard("shown"));
  on(document, "visibilitychange", () => {
    heard(document.visibilityState === "visible" ? "shown" : "leaving");
  });
  return () => gone.abort();
}

/** The real one. */
export function browser(): Environment {
  return {
    open: () => new WebSocket(websocketUrl(), [JSON_SUBPROTOCOL]) as unknown as SocketLike,
    token: () => "",
    signedIn,
    signOut,
    lookup,
    nowMs: () => Date.now(),
    random: () => Math.random(),
    later(ms, run) {
      const timer = setTimeout(run, ms);
      return () => clearTimeout(timer);
    },
    onLine: () => navigator.onLine,
    attentive: () => document.visibilityState === "visible" && document.hasFocus(),
    wakeups,
    unique,
    storage: storage(),
    locks: (globalThis.navigator?.locks as unknown as LocksLike | undefined) ?? null,
    channel: () =>
      typeof BroadcastChannel === "function"
        ? (new BroadcastChannel("batonbox") as unknown as ChannelLike)
        : null,
  };
}
