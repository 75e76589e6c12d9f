import { describe, expect, test } from "vitest";
import type { Line } from "../src/contract";
import { ThreadModel, lineOf } from "../src/store/thread";
import { message, meta, row } from "./builders";

const numbers = (model: ThreadModel) => model.lines().map((line) => line.n);
const received = (n: number, seq = n * 10) =>
  [seq, meta("received", row({ n, rev: seq, last_ms: 1000 + n })), { text: `text ${n}` }] as const;
const pages = (...ns: number[]) => ns.map((n) => message(n));
const own = (cid: string): Line => ({
  ...lineOf(message(0, { kind: "replied", cid, state: "queued" })),
  n: 0,
  state: "sending",
});

describe("a thread", () => {
  test("joins events to the newest page, whichever comes first", () => {
    const model = new ThreadModel();
    expect(model.event(...received(5))).toBe("changed");
    expect(model.newest(pages(3, 4), 3, 45)).toBe(true);
    expect(model.event(...received(6))).toBe("changed");
    expect(numbers(model)).toEqual([3, 4, 5, 6]);
  });

  test("shows nothing twice", () => {
    const model = new ThreadModel();
    model.newest(pages(1, 2, 3), null, 30);
    expect(model.event(...received(3))).toBe("ignored");
    model.newest(pages(2, 3), 2, 30);
    expect(numbers(model)).toEqual([1, 2, 3]);
  });

  test("a hole is a gap, and so is another message under a known number", () => {
    const model = new ThreadModel();
    model.newest(pages(1, 2), null, 20);
    expect(model.event(...received(4))).toBe("gap");
    expect(model.event(...received(2, 99))).toBe("gap");
  });

  test("what the retention rule erases is gone, and is not asked for again", () => {
    const model = new ThreadModel();
    model.newest(pages(4, 5, 6), 4, 60);
    expect(model.event(70, { ...meta("purged", row({ n: 6, rev: 60 })), n: 4 }, null)).toBe("changed");
    expect(numbers(model)).toEqual([5, 6]);
    expect(model.atStart).toBe(true);
    expect(model.event(80, { ...meta("purged", row({ n: 6, rev: 80 })), n: 6 }, null)).toBe("changed");
    expect(numbers(model)).toEqual([]);
    expect(model.event(...received(7))).toBe("changed");
    expect(numbers(model)).toEqual([7]);
  });

  test("a page that leaves a hole to what came since is refused", () => {
    const model = new ThreadModel();
    model.event(...received(6));
    expect(model.newest(pages(1, 2), null, 20)).toBe(false);
  });

  test("grows at its start by pages that join", () => {
    const model = new ThreadModel();
    model.newest(pages(5, 6), 5, 60);
    expect(model.atStart).toBe(false);
    expect(model.older(pages(1, 2), null, 60, 4)).toBe(false);
    expect(model.older(pages(3, 4), 3, 60, 5)).toBe(true);
    expect(model.older(pages(1, 2), null, 60, 3)).toBe(true);
    expect(numbers(model)).toEqual([1, 2, 3, 4, 5, 6]);
    expect(model.atStart).toBe(true);
  });

  test("a newest page far above what is loaded drops what is below", () => {
    const model = new ThreadModel();
    model.newest(pages(1, 2), null, 20);
    model.newest(pages(8, 9), 8, 90);
    expect(numbers(model)).toEqual([8, 9]);
    expect(model.atStart).toBe(false);
  });

  test("my line keeps its key when it is confirmed, by event or by page", () => {
    for (const by of ["event", "page"]) {
      const model = new ThreadModel();
      model.newest(pages(1), null, 10);
      model.say(own("u1"));
      expect(model.lines().at(-1)).toMatchObject({ key: "c:u1", n: 0 });
      const reply = message(2, { kind: "replied", cid: "u1", state: "queued" });
      if (by === "page") model.newest([message(1), reply], null, 20);
      else {
        const after = row({ n: 2, rev: 20 });
        model.event(20, meta("replied", after, row(), { cid: "u1", state: "queued" }), { text: "x" });
      }
      expect(model.lines().map((line) => [line.key, line.n])).toEqual([["n:1", 1], ["c:u1", 2]]);
      model.say(own("u1")); // its answer comes last
      expect(model.lines()).toHaveLength(2);
    }
  });

  test("a newer delivery state is not undone by an older page", () => {
    const model = new ThreadModel();
    const reply = (state: "queued" | "sent") => message(2, { kind: "replied", cid: "u1", state });
    model.newest([message(1), reply("queued")], null, 20);
    const changed = meta("delivery_changed", row({ rev: 20, n: 2 }), row({ rev: 20, n: 2 }), {
      n: 2,
      state: "failed",
      reason: "unreachable",
    });
    expect(model.event(25, changed, null)).toBe("changed");
    model.newest([message(1), reply("sent")], null, 22);
    expect(model.line(2)).toMatchObject({ state: "failed", reason: "unreachable" });
    model.newest([message(1), reply("sent")], null, 30);
    expect(model.line(2)).toMatchObject({ state: "sent", reason: "" });
    expect(model.event(28, changed, null)).toBe("ignored");
  });

  test("a page says why a message failed", () => {
    const model = new ThreadModel();
    const failed = message(2, { kind: "replied", cid: "u1", state: "failed" });
    failed[8] = "unreachable";
    model.newest([message(1), failed], null, 30);
    expect(model.line(2)).toMatchObject({ state: "failed", reason: "unreachable" });
  });

  test("a delivery state overtakes the page that is on its way", () => {
    const model = new ThreadModel();
    const changed = meta("delivery_changed", row({ n: 2 }), row({ n: 2 }), { n: 2, state: "sent" });
    model.event(25, changed, null);
    model.newest([message(1), message(2, { kind: "replied", cid: "u1", state: "queued" })], null, 20);
    expect(model.line(2)?.state).toBe("sent");
  });

  test("keeps the newest when there are too many", () => {
    const model = new ThreadModel();
    model.newest(pages(...Array.from({ length: 250 }, (_, i) => i + 1)), null, 2500);
    expect(model.trim(200)).toBe(true);
    expect([model.lowest, model.highest, model.atStart]).toEqual([51, 250, false]);
    expect(model.trim(200)).toBe(false);
  });

  test("system lines say who has it now, and with which words", () => {
    const line = lineOf([3, 30, 9, "transferred", "bo", "u9", "", { to: "dee", note: "please" }]);
    expect(line).toMatchObject({ key: "n:3", kind: "transferred", to: "dee", note: "please", text: "" });
  });
});
