/** Staying connected: open, resume, move on GOAWAY, ask for the session or stop by the close code. */
import type { Link } from "../contract";
import { Op, type ServerFrame, type WelcomeFrame } from "../wire";
import { afterClose, delayMs, leastFailures } from "./backoff";
import { decode, encode } from "./frames";

/** A connection that lived this long was a good one: the next failure starts the ladder anew. */
const GOOD_MS = 5000;
const HANDSHAKE_MS = 10_000;
export const TICK_MS = 5000;
/** A timer so late means that the machine slept. */
const LATE_MS = 15_000;
/** A page that comes to the front doubts a connection that was silent for this part of the bearable. */
const DOUBTFUL = 0.6;
const ABNORMAL = 1006;
/** WebSocket.OPEN: what is sent in a later state is dropped, with an error on the console. */
const OPEN = 1;

/** The part of WebSocket that is used. */
export interface SocketLike {
  readonly readyState: number;
  onopen: (() => void) | null;
  onmessage: ((event: { readonly data: unknown }) => void) | null;
  onclose: ((event: { readonly code: number; readonly reason: string }) => void) | null;
  send(data: string): void;
  close(code?: number, reason?: string): void;
}

export interface SocketIo {
  open(): SocketLike;
  /** What HELLO carries; empty: the session's cookie. */
  token(): string | Promise<string>;
  /** Whether a session stands; null: cannot be told. */
  signedIn(): Promise<boolean | null>;
  nowMs(): number;
  random(): number;
  later(ms: number, run: () => void): () => void;
  onLine(): boolean;
  readonly client: string;
}

export interface SocketEvents {
  /** All frames of one message; not `current` on a connection that has been replaced. */
  frames(frames: readonly ServerFrame[], current: boolean): void;
  link(link: Link): void;
  /** Every few seconds while anything is under way. */
  tick(): void;
}

/** One websocket from HELLO to its end. */
class Wire {
  welcomed = false;
  ended = false;
  readonly bornMs: number;
  heardMs: number;

  constructor(
    readonly socket: SocketLike,
    nowMs: number,
  ) {
    this.bornMs = this.heardMs = nowMs;
  }

  /** Not while it is closing: that it is closed comes later. */
  get open(): boolean {
    return this.socket.readyState === OPEN;
  }

  send(frames: readonly (readonly unknown[])[]): void {
    for (const message of encode(frames)) if (this.open) this.socket.send(message);
  }

  /** End it from here; nothing of it is heard any more. */
  abandon(): void {
    if (this.ended) return;
    this.ended = true;
    const { socket } = this;
    socket.onopen = socket.onmessage = socket.onclose = null;
    socket.close(1000);
  }
}

/** Keeps one connection; for ever trying again until `stop`, a sign-out, or a code that says stop. */
export class Socket {
  private wire: Wire | null = null;
  private next: Wire | null = null;
  private failures = 0;
  /** Of the first attempt after a connection, as its WELCOME asked. */
  private spreadMs = 0;
  private waiting: (() => void) | null = null;
  private ticking: (() => void) | null = null;
  private moving: (() => void) | null = null;
  private silenceMs = 60_000;
  private tickedMs = 0;
  private stopped = true;
  private asking = 0;
  private generation = 0;

  constructor(
    private readonly io: SocketIo,
    private readonly events: SocketEvents,
  ) {}

  /** Whether what is sent now goes out. */
  get live(): boolean {
    return this.wire?.open ?? false;
  }

  start(): void {
    this.stopped = false;
    this.tickedMs = this.io.nowMs();
    this.tick();
    this.events.link({ state: "connecting" });
    void this.attempt();
  }

  /** End for good, or until `start`. */
  stop(link?: Link): void {
    this.stopped = true;
    this.generation++;
    this.cancel();
    this.ticking?.();
    this.ticking = null;
    this.wire?.abandon();
    this.next?.abandon();
    this.wire = this.next = null;
    if (link !== undefined) this.events.link(link);
  }

  /** Nothing goes out when there is no connection: see `live`. */
  send(frames: readonly (readonly unknown[])[]): void {
    if (frames.length > 0) this.wire?.send(frames);
  }

  /** A person asks. */
  now(): void {
    if (this.stopped) {
      this.failures = 0;
      this.start();
      return;
    }
    if (this.wire === null) this.retry();
  }

  /** The page was woken, shown or the network came back: what stands may be dead unnoticed. */
  wake(suspicious: boolean): void {
    if (this.stopped) return;
    if (this.wire === null) {
      this.retry();
      return;
    }
    const quietMs = this.io.nowMs() - this.wire.heardMs;
    // A new connection resumes for next to nothing; the old one stands until it is there.
    if (suspicious || quietMs > this.silenceMs * DOUBTFUL) void this.attempt();
  }

  /** The network is gone. */
  offline(): void {
    if (this.stopped) return;
    this.lose();
    this.retryLater(0);
  }

  private retry(): void {
    this.failures = 0;
    if (this.next !== null) return;
    this.cancel();
    void this.attempt();
  }

  private async attempt(): Promise<void> {
    if (this.next !== null || this.stopped) return;
    const { generation } = this;
    const turn = ++this.asking;
    if (this.wire === null) this.events.link({ state: this.io.onLine() ? "connecting" : "offline" });
    let token: string;
    try {
      token = await this.io.token();
    } catch {
      if (turn === this.asking && generation === this.generation) this.failed(ABNORMAL, "");
      return;
    }
    if (turn !== this.asking || generation !== this.generation || this.next !== null) return;
    this.open(token);
  }

  private open(token: string): void {
    let socket: SocketLike;
    try {
      socket = this.io.open();
    } catch {
      this.failed(ABNORMAL, "");
      return;
    }
    const wire = new Wire(socket, this.io.nowMs());
    this.next = wire;
    const cancel = this.io.later(HANDSHAKE_MS, () => {
      if (wire.welcomed || wire.ended) return;
      wire.abandon();
      this.ended(wire, ABNORMAL, "no answer");
    });
    socket.onopen = () => wire.send([[Op.HELLO, token, this.io.client]]);
    socket.onmessage = (event) => this.heard(wire, event.data);
    socket.onclose = (event) => {
      cancel();
      if (wire.ended) return;
      wire.ended = true;
      this.ended(wire, event.code, event.reason);
    };
  }

  private heard(wire: Wire, data: unknown): void {
    wire.heardMs = this.io.nowMs();
    let frames: ServerFrame[];
    try {
      frames = decode(String(data));
    } catch {
      wire.abandon();
      this.ended(wire, ABNORMAL, "not understood");
      return;
    }
    if (!wire.welcomed) {
      const first = frames[0];
      if (first?.[0] !== Op.WELCOME) return;
      this.adopt(wire, first);
    }
    for (const frame of frames) if (frame[0] === Op.GOAWAY) this.goAway(frame[1]);
    for (const frame of frames) if (frame[0] === Op.AUTH) this.refreshWithin(wire, 1000 * frame[1]);
    this.events.frames(frames, wire === this.wire);
  }

  private adopt(wire: Wire, welcome: WelcomeFrame): void {
    wire.welcomed = true;
    this.silenceMs = 2000 * welcome[3];
    this.spreadMs = welcome[4]["reconnect_ms"] ?? 0;
    const old = this.wire;
    this.wire = wire;
    this.next = null;
    this.moving?.();
    this.moving = null;
    if (old !== null) old.abandon();
    this.events.link({ state: "live" });
  }

  private ended(wire: Wire, code: number, reason: string): void {
    const nowMs = this.io.nowMs();
    if (wire === this.next) {
      this.next = null;
    } else if (wire === this.wire) {
      this.wire = null;
      if (nowMs - wire.bornMs > GOOD_MS) this.failures = 0;
      if (this.next !== null && afterClose(code) === "resume") {
        this.events.link({ state: "connecting" });
        return;
      }
    } else {
      return;
    }
    this.failed(code, reason);
  }

  private failed(code: number, reason: string): void {
    switch (afterClose(code)) {
      case "stop":
        this.stop({ state: "stopped", reason: reason || `closed with ${code}` });
        break;
      case "reauthorize":
        this.lose();
        void this.reauthorize(reason);
        break;
      case "resume":
        if (this.wire === null) this.retryLater(leastFailures(code));
        else if (!this.stopped) this.moveIn(delayMs(this.failures++, this.io.random()));
    }
  }

  private async reauthorize(reason: string): Promise<void> {
    const { generation } = this;
    const signedIn = await this.io.signedIn();
    if (this.stopped || generation !== this.generation) return;
    if (signedIn === false) this.stop({ state: "signed_out", reason });
    else this.retryLater(0);
  }

  private retryLater(least: number): void {
    this.cancel();
    this.failures = Math.max(this.failures, least);
    const ms = delayMs(this.failures++, this.io.random(), this.spreadMs);
    this.spreadMs = 0;
    const retryAtMs = this.io.nowMs() + ms;
    this.events.link(this.io.onLine() ? { state: "waiting", retryAtMs } : { state: "offline" });
    this.waiting = this.io.later(ms, () => {
      this.waiting = null;
      void this.attempt();
    });
  }

  /** Make before break: the old connection serves until the new one is welcomed. */
  private goAway(afterMs: number): void {
    if (this.moving === null) this.moveIn(afterMs);
  }

  private moveIn(ms: number): void {
    this.moving?.();
    this.moving = this.io.later(ms, () => {
      this.moving = null;
      void this.attempt();
    });
  }

  /** Tokens made together end together: half of the time that is left is for spreading. */
  private refreshWithin(wire: Wire, leftMs: number): void {
    this.io.later((this.io.random() * leftMs) / 2, () => void this.refresh(wire));
  }

  private async refresh(wire: Wire): Promise<void> {
    try {
      const token = await this.io.token();
      // A cookie's session is judged by the server itself; there is nothing to hand over.
      if (token !== "" && !wire.ended) wire.send([[Op.REFRESH, 0, token]]);
    } catch {
      // The connection ends when the token does; the next one asks again.
    }
  }

  private lose(): void {
    this.asking++;
    this.wire?.abandon();
    this.next?.abandon();
    this.wire = this.next = null;
    this.cancel();
  }

  private cancel(): void {
    this.waiting?.();
    this.moving?.();
    this.waiting = this.moving = null;
  }

  private tick(): void {
    this.ticking = this.io.later(TICK_MS, () => {
      const nowMs = this.io.nowMs();
      const lateMs = nowMs - this.tickedMs - TICK_MS;
      this.tickedMs = nowMs;
      this.tick();
      if (lateMs > LATE_MS) this.wake(true);
      else if (this.wire !== null && nowMs - this.wire.heardMs > this.silenceMs) this.silent();
      this.events.tick();
    });
  }

  private silent(): void {
    if (this.next === null) {
      this.lose();
      this.retryLater(0);
      return;
    }
    this.wire?.abandon();
    this.wire = null;
    this.events.link({ state: "connecting" });
  }
}
