/** A browser for tests: its clock, timers, tabs' storage and sockets are in the test's hands. */
import type { SocketLike } from "../src/net/socket";
import type { Environment, Wakeup } from "../src/store/environment";
import type { ChannelLike } from "../src/tabs/channel";
import type { LocksLike } from "../src/tabs/leader";
import type { StorageLike } from "../src/tabs/storage";

export class MemoryStorage implements StorageLike {
  private readonly kept = new Map<string, string>();

  get length(): number {
    return this.kept.size;
  }

  key(index: number): string | null {
    return [...this.kept.keys()][index] ?? null;
  }

  getItem(key: string): string | null {
    return this.kept.get(key) ?? null;
  }

  setItem(key: string, value: string): void {
    this.kept.set(key, value);
  }

  removeItem(key: string): void {
    this.kept.delete(key);
  }
}

/** Web Locks as far as leadership needs them. */
export class MemoryLocks implements LocksLike {
  private readonly queues = new Map<string, (() => void)[]>();
  private readonly held = new Set<string>();

  async request(
    name: string,
    options: { signal?: AbortSignal },
    work: () => Promise<void>,
  ): Promise<unknown> {
    if (this.held.has(name)) {
      await new Promise<void>((resolve, reject) => {
        const queue = this.queues.get(name) ?? [];
        this.queues.set(name, [...queue, resolve]);
        options.signal?.addEventListener("abort", () => reject(new Error("aborted")));
      });
    }
    this.held.add(name);
    await work();
    this.held.delete(name);
    this.queues.get(name)?.shift()?.();
    return undefined;
  }

  query(): Promise<{ held: { name: string }[] }> {
    return Promise.resolve({ held: [...this.held].map((name) => ({ name })) });
  }
}

/** BroadcastChannels of one name: delivers at once. */
export class MemoryBroadcast {
  private readonly ends = new Set<ChannelLike>();

  open(): ChannelLike {
    const { ends } = this;
    const end: ChannelLike = {
      onmessage: null,
      postMessage(data: unknown) {
        for (const other of [...ends]) if (other !== end) other.onmessage?.({ data });
      },
      close: () => void ends.delete(end),
    };
    ends.add(end);
    return end;
  }
}

/** Time that passes when told to. */
export class Clock {
  nowMs = 1_700_000_000_000;
  private timers: { atMs: number; run: () => void; id: number }[] = [];
  private lastId = 0;

  later(ms: number, run: () => void): () => void {
    const id = ++this.lastId;
    this.timers.push({ atMs: this.nowMs + ms, run, id });
    return () => {
      this.timers = this.timers.filter((timer) => timer.id !== id);
    };
  }

  /** Run what falls due, in order. */
  pass(ms: number): void {
    const untilMs = this.nowMs + ms;
    for (;;) {
      const due = this.timers.filter((timer) => timer.atMs <= untilMs);
      due.sort((a, b) => a.atMs - b.atMs || a.id - b.id);
      const next = due[0];
      if (next === undefined) break;
      this.timers = this.timers.filter((timer) => timer !== next);
      this.nowMs = Math.max(this.nowMs, next.atMs);
      next.run();
    }
    this.nowMs = untilMs;
  }

  /** Sleep: time passes, timers are late. */
  sleep(ms: number): void {
    this.nowMs += ms;
    this.pass(0);
  }
}

/** The client's end of a websocket; the test is the server. */
export class FakeSocket implements SocketLike {
  readyState = 1;
  onopen: (() => void) | null = null;
  onmessage: ((event: { readonly data: unknown }) => void) | null = null;
  onclose: ((event: { readonly code: number; readonly reason: string }) => void) | null = null;
  /** Called with each message the client sends. */
  onsent: (frames: unknown[][]) => void = () => undefined;
  closed: number | null = null;
  readonly sent: unknown[][] = [];

  send(data: string): void {
    if (this.readyState > 1) throw new Error("sent into a connection that is closing");
    const frames = data.split("\n").map((line) => JSON.parse(line) as unknown[]);
    this.sent.push(...frames);
    this.onsent(frames);
  }

  close(code = 1005): void {
    this.readyState = 2;
    this.closed = code;
  }

  /** The server speaks: one message. */
  say(...frames: unknown[][]): void {
    this.onmessage?.({ data: frames.map((frame) => JSON.stringify(frame)).join("\n") });
  }

  /** The connection breaks, or the server closes it. */
  end(code = 1006, reason = ""): void {
    this.readyState = 3;
    this.closed = code;
    this.onclose?.({ code, reason });
  }
}

export interface TestTab {
  readonly environment: Environment;
  readonly sockets: FakeSocket[];
  /** What the page hears from the browser. */
  wake(wakeup: Wakeup): void;
  state: { onLine: boolean; attentive: boolean; signedIn: boolean | null };
  readonly signedOut: boolean[];
}

/** What the tabs of one person share. */
export class TestBrowser {
  readonly clock = new Clock();
  readonly storage = new MemoryStorage();
  readonly locks = new MemoryLocks();
  readonly broadcast = new MemoryBroadcast();
  private ids = 0;

  tab(overrides: Partial<Environment> = {}, onOpen?: (socket: FakeSocket) => void): TestTab {
    const sockets: FakeSocket[] = [];
    const listeners = new Set<(wakeup: Wakeup) => void>();
    const state = { onLine: true, attentive: true, signedIn: true as boolean | null };
    const signedOut: boolean[] = [];
    const { clock } = this;
    const environment: Environment = {
      open: () => {
        const socket = new FakeSocket();
        sockets.push(socket);
        onOpen?.(socket);
        return socket;
      },
      token: () => "",
      signedIn: () => Promise.resolve(state.signedIn),
      signOut: (everywhere) => {
        signedOut.push(everywhere);
        return Promise.resolve(true);
      },
      lookup: () => Promise.resolve({}),
      nowMs: () => clock.nowMs,
      random: () => 0.5,
      later: (ms, run) => clock.later(ms, run),
      onLine: () => state.onLine,
      attentive: () => state.attentive,
      wakeups: (heard) => {
        listeners.add(heard);
        return () => void listeners.delete(heard);
      },
      unique: () => `u${++this.ids}`,
      storage: this.storage,
      locks: this.locks,
      channel: () => this.broadcast.open(),
      ...overrides,
    };
    return {
      environment,
      sockets,
      wake: (wakeup) => listeners.forEach((heard) => heard(wakeup)),
      state,
      signedOut,
    };
  }
}

/** Let promises that have been resolved run on. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await Promise.resolve();
}
