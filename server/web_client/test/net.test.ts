import { describe, expect, test } from "vitest";
import type { Link } from "../src/contract";
import { afterClose, delayMs, leastFailures } from "../src/net/backoff";
import { decode, encode } from "../src/net/frames";
import { Socket } from "../src/net/socket";
import { Close, Op, type ServerFrame } from "../src/wire";
import vectors from "../../../tests/vectors/frames.json";
import { Clock, FakeSocket, settle } from "./environment";

describe("frames", () => {
  test.each(vectors.map((vector) => [vector.name, vector] as const))("golden %s", (_, vector) => {
    expect(decode(vector.json)).toEqual([vector.frame]);
    expect(JSON.parse(encode([vector.frame])[0] ?? "")).toEqual(vector.frame);
  });

  test("several in a message, one per line", () => {
    expect(decode('[25]\n[26,60]\n')).toEqual([[25], [26, 60]]);
    expect(encode([[6, []], [3, ["a"]]])).toEqual(['[6,[]]\n[3,["a"]]']);
  });

  test("many are split into messages the server takes", () => {
    const frames = Array.from({ length: 40 }, () => [Op.CMD, 1, "x".repeat(1000)]);
    const messages = encode(frames);
    expect(messages.length).toBeGreaterThan(1);
    for (const message of messages) expect(message.length).toBeLessThan(32 << 10);
    expect(messages.flatMap((message) => message.split("\n"))).toHaveLength(40);
  });

  test("what is no frame is refused", () => {
    for (const bad of ["{}", "[]", '["x"]', "nonsense"]) expect(() => decode(bad)).toThrow();
  });
});

describe("when to try again", () => {
  test("full jitter between 0 and a cap that doubles to 20 s", () => {
    expect([0, 1, 2, 20, 1000].map((n) => delayMs(n, 1))).toEqual([200, 400, 800, 20_000, 20_000]);
    expect(delayMs(5, 0)).toBe(0);
    expect([0, 5].map((n) => delayMs(n, 1, 3000))).toEqual([3000, 6400]);
    expect(delayMs(0, 1, 1e9)).toBe(20_000);
  });

  test.each([
    [Close.DRAIN, "resume"],
    [Close.RATE, "resume"],
    [1006, "resume"],
    [Close.EXPIRED, "reauthorize"],
    [Close.ROLES_CHANGED, "reauthorize"],
    [Close.UNAUTHORIZED, "reauthorize"],
    [Close.BAD_FRAME, "stop"],
    [Close.TOO_MANY, "stop"],
  ] as const)("%d: %s", (code, next) => expect(afterClose(code)).toBe(next));

  test("a rate limit starts higher up the ladder", () => {
    expect(leastFailures(Close.RATE)).toBeGreaterThan(leastFailures(Close.DRAIN));
  });
});

const WELCOME = [Op.WELCOME, "c1", "me", 25, {}, "b1", 0, 0];

class Line {
  readonly clock = new Clock();
  readonly sockets: FakeSocket[] = [];
  readonly links: Link[] = [];
  readonly frames: [ServerFrame, boolean][] = [];
  onLine = true;
  signedIn: boolean | null = true;
  token: () => string | Promise<string> = () => "tok";
  readonly socket = new Socket(
    {
      open: () => {
        const socket = new FakeSocket();
        this.sockets.push(socket);
        return socket;
      },
      token: () => this.token(),
      signedIn: () => Promise.resolve(this.signedIn),
      nowMs: () => this.clock.nowMs,
      random: () => 1,
      later: (ms, run) => this.clock.later(ms, run),
      onLine: () => this.onLine,
      client: "web/1",
    },
    {
      frames: (frames, current) => frames.forEach((frame) => this.frames.push([frame, current])),
      link: (link) => this.links.push(link),
      tick: () => undefined,
    },
  );

  get last(): FakeSocket {
    return this.sockets.at(-1) as FakeSocket;
  }

  get link(): Link | undefined {
    return this.links.at(-1);
  }

  async open(): Promise<FakeSocket> {
    await settle();
    this.last.onopen?.();
    this.last.say(WELCOME);
    return this.last;
  }

  async start(): Promise<FakeSocket> {
    this.socket.start();
    return this.open();
  }

  async pass(ms: number): Promise<void> {
    this.clock.pass(ms);
    await settle();
  }
}

describe("the connection", () => {
  test("says HELLO with the token and is live with WELCOME", async () => {
    const line = new Line();
    line.socket.start();
    await settle();
    expect(line.link).toEqual({ state: "connecting" });
    line.last.onopen?.();
    expect(line.last.sent).toEqual([[Op.HELLO, "tok", "web/1"]]);
    expect(line.socket.live).toBe(false);
    line.last.say(WELCOME, [Op.PING]);
    expect(line.link).toEqual({ state: "live" });
    expect(line.socket.live).toBe(true);
    expect(line.frames.map(([frame]) => frame[0])).toEqual([Op.WELCOME, Op.PING]);
  });

  test("sends nothing into a connection that the server is closing", async () => {
    const line = new Line();
    const closing = await line.start();
    closing.readyState = 2;
    expect(line.socket.live).toBe(false);
    line.socket.send([[Op.PONG, []]]);
    expect(closing.sent.map(([op]) => op)).toEqual([Op.HELLO]);
    closing.end(4003);
    await line.pass(20_000);
    await line.open();
    expect(line.socket.live).toBe(true);
  });

  test("tries for ever, further and further apart, and says when", async () => {
    const line = new Line();
    await line.start();
    line.last.end(1006);
    expect(line.link).toEqual({ state: "waiting", retryAtMs: line.clock.nowMs + 200 });
    for (let i = 1; i < 12; i++) {
      await line.pass(20_000);
      line.last.end(1006);
    }
    expect(line.sockets).toHaveLength(12);
    expect(line.link).toEqual({ state: "waiting", retryAtMs: line.clock.nowMs + 20_000 });
  });

  test("who is dropped with a crowd spreads as the server asked, once", async () => {
    const line = new Line();
    line.socket.start();
    await settle();
    line.last.onopen?.();
    line.last.say([Op.WELCOME, "c1", "me", 25, { reconnect_ms: 3000 }, "b1", 0, 0]);
    line.last.end(1006);
    expect(line.link).toEqual({ state: "waiting", retryAtMs: line.clock.nowMs + 3000 });
    await line.pass(3000);
    line.last.end(1006);
    expect(line.link).toEqual({ state: "waiting", retryAtMs: line.clock.nowMs + 400 });
  });

  test("a good connection starts the ladder anew", async () => {
    const line = new Line();
    await line.start();
    for (let i = 0; i < 5; i++) {
      line.last.end(1006);
      await line.pass(20_000);
    }
    await line.open();
    await line.pass(6000);
    line.last.end(1006);
    expect(line.link).toEqual({ state: "waiting", retryAtMs: line.clock.nowMs + 200 });
  });

  test("a person may ask for it now, also after a stop", async () => {
    const line = new Line();
    await line.start();
    line.last.end(1006);
    line.socket.now();
    await line.open();
    expect(line.link).toEqual({ state: "live" });
    line.last.end(Close.TOO_MANY, "too many connections");
    expect(line.link).toEqual({ state: "stopped", reason: "too many connections" });
    await line.pass(60_000);
    expect(line.sockets).toHaveLength(2);
    line.socket.now();
    await line.open();
    expect(line.link).toEqual({ state: "live" });
  });

  test("silence for twice the server's interval is a broken connection", async () => {
    const line = new Line();
    const first = await line.start();
    for (let i = 0; i < 3; i++) {
      await line.pass(25_000);
      first.say([Op.PING]);
    }
    expect(first.closed).toBeNull();
    await line.pass(56_000);
    expect(first.closed).not.toBeNull();
  });

  test("an answer to HELLO that does not come is not waited for", async () => {
    const line = new Line();
    line.socket.start();
    await settle();
    line.last.onopen?.();
    await line.pass(10_000);
    expect(line.last.closed).not.toBeNull();
    expect(line.link?.state).toBe("waiting");
  });

  test("GOAWAY: the new connection stands before the old one ends", async () => {
    const line = new Line();
    const old = await line.start();
    old.say([Op.GOAWAY, 500, 5000]);
    await line.pass(499);
    expect(line.sockets).toHaveLength(1);
    await line.pass(1);
    expect(line.sockets).toHaveLength(2);
    old.say([Op.OK, 1, {}]);
    expect(line.frames.at(-1)).toEqual([[Op.OK, 1, {}], true]);
    await line.open();
    expect(old.closed).toBe(1000);
    expect(line.links.filter((link) => link.state !== "live")).toEqual([
      { state: "connecting" },
      { state: "connecting" },
    ]);
  });

  test("while moving, the old connection may end: the new one goes on", async () => {
    const line = new Line();
    const old = await line.start();
    old.say([Op.GOAWAY, 0, 5000]);
    await line.pass(0);
    old.end(Close.DRAIN);
    expect(line.link).toEqual({ state: "connecting" });
    await line.open();
    expect(line.link).toEqual({ state: "live" });
    expect(line.sockets).toHaveLength(2);
  });

  test("an ended session signs out, a standing one connects again", async () => {
    const line = new Line();
    await line.start();
    line.last.end(Close.EXPIRED, "expired");
    await settle();
    await line.pass(1000);
    await line.open();
    expect(line.link).toEqual({ state: "live" });
    line.signedIn = false;
    line.last.end(Close.UNAUTHORIZED, "revoked");
    await settle();
    expect(line.link).toEqual({ state: "signed_out", reason: "revoked" });
    await line.pass(100_000);
    expect(line.sockets).toHaveLength(2);
  });

  test("a session that cannot be asked for is no reason to sign out", async () => {
    const line = new Line();
    await line.start();
    line.signedIn = null;
    line.last.end(Close.EXPIRED);
    await settle();
    expect(line.link?.state).toBe("waiting");
  });

  test("a token that expires is replaced in place", async () => {
    const line = new Line();
    const socket = await line.start();
    line.token = () => Promise.resolve("tok2");
    socket.say([Op.AUTH, 60]);
    await line.pass(29_999);
    expect(socket.sent).toHaveLength(1);
    await line.pass(1);
    expect(socket.sent.at(-1)).toEqual([Op.REFRESH, 0, "tok2"]);
  });

  test("offline says so, and online does not wait", async () => {
    const line = new Line();
    await line.start();
    line.onLine = false;
    line.socket.offline();
    expect(line.link).toEqual({ state: "offline" });
    await line.pass(60_000);
    expect(line.links.slice(3).map((link) => link.state)).toEqual(["offline", "offline"]);
    line.onLine = true;
    line.last.end(1006);
    line.socket.wake(true);
    await line.open();
    expect(line.link).toEqual({ state: "live" });
  });

  test("after a sleep the connection is not trusted, and stands until a new one does", async () => {
    const line = new Line();
    const old = await line.start();
    line.clock.sleep(3600_000);
    await settle();
    expect(line.sockets).toHaveLength(2);
    expect(old.closed).toBeNull();
    await line.open();
    expect(old.closed).toBe(1000);
    expect(line.link).toEqual({ state: "live" });
  });

  test("shown again soon, nothing is done; after long silence it is", async () => {
    const line = new Line();
    await line.start();
    line.socket.wake(false);
    await settle();
    expect(line.sockets).toHaveLength(1);
    await line.pass(35_000);
    line.socket.wake(false);
    await settle();
    expect(line.sockets).toHaveLength(2);
  });

  test("what is not understood ends the connection, not the page", async () => {
    const line = new Line();
    const socket = await line.start();
    socket.onmessage?.({ data: "<html>" });
    expect(socket.closed).not.toBeNull();
    expect(line.link?.state).toBe("waiting");
  });

  test("stopped, it is quiet", async () => {
    const line = new Line();
    const socket = await line.start();
    line.socket.stop();
    await line.pass(1e6);
    expect([socket.closed, line.sockets.length]).toEqual([1000, 1]);
  });
});
