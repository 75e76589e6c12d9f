import { describe, expect, test } from "vitest";
import type { Line } from "../src/contract";
import { arrange, finished } from "../src/ui/thread_model";
import { deliveryWords, explains, systemWords } from "../src/ui/thread_words";
import { totalsWords } from "../src/ui/words";

const NOON = new Date(2026, 2, 10, 12).getTime();
const MINUTE = 60_000;

function line(n: number, change: Partial<Line> = {}): Line {
  return {
    key: `k${n}`, n, atMs: NOON + n * MINUTE, kind: "received", actor: "", text: `text ${n}`, media: [], why: "",
    untilMs: 0, to: "", mentions: [], note: "", state: "", reason: "", ...change,
  };
}

const names: Readonly<Record<string, string>> = { ana: "Ana", bo: "Bo", dee: "Dee" };
const nameOf = (id: string): string => names[id] ?? id;

describe("arrange", () => {
  test("groups one author's messages, unless time, a day or another line lies between", () => {
    const items = arrange([
      line(1),
      line(2),
      line(3, { kind: "replied", actor: "ana" }),
      line(4, { kind: "replied", actor: "bo" }),
      line(5, { kind: "assigned", actor: "ana", to: "ana" }),
      line(6, { kind: "replied", actor: "bo" }),
      line(20, { kind: "replied", actor: "bo" }),
      line(21, { kind: "noted", actor: "bo" }),
      line(24 * 60, { kind: "noted", actor: "bo" }),
    ]);
    const shape = items.map((item) => (item.type === "group" ? `${item.side}:${item.lines.map(({ n }) => n)}` : item.type));
    expect(shape).toEqual([
      "day", "customer:1,2", "team:3", "team:4", "system", "team:6", "team:20", "note:21", "day", "note:1440",
    ]);
  });

  test("keys are unique and stay when older lines come before", () => {
    const lines = Array.from({ length: 50 }, (_, n) => line(n, { actor: n % 3 ? "" : "ana", kind: n % 3 ? "received" : "replied" }));
    const keys = arrange(lines).map(({ key }) => key);
    expect(new Set(keys).size).toBe(keys.length);
    const later = arrange(lines.slice(21)).map(({ key }) => key);
    expect(keys.slice(-later.length + 1)).toEqual(later.slice(1));
  });

  test("a system line knows who had it before", () => {
    const items = arrange([line(1, { kind: "assigned", actor: "bo", to: "bo" }), line(2, { kind: "returned", reason: "membership" })]);
    const last = items.at(-1);
    expect(last?.type === "system" && systemWords(last.line, last.owner, nameOf)).toBe("Returned to the inbox: Bo left it");
  });

  test.each(["replied", "composed"] as const)("and so does one where the line that gave it to them is missing: %s", (kind) => {
    const items = arrange([line(1, { kind, actor: "bo" }), line(2), line(3, { kind: "returned", why: "offline" })]);
    const last = items.at(-1);
    expect(last?.type === "system" && systemWords(last.line, last.owner, nameOf)).toBe("Bo was offline: returned to the inbox");
  });
});

test.each([
  ["taken by whom it goes to", { kind: "assigned", actor: "bo", to: "bo" }, "", false],
  ["handed on by its owner", { kind: "transferred", actor: "ana", to: "bo" }, "ana", false],
  ["handed on with a note", { kind: "transferred", actor: "ana", to: "bo", note: "Call her." }, "ana", true],
  ["moved by an admin", { kind: "transferred", actor: "dee", to: "bo" }, "ana", true],
  ["returned by a rule", { kind: "returned", why: "offline" }, "ana", true],
  ["given to somebody by a rule", { kind: "assigned", to: "bo" }, "", false],
  ["undone", { kind: "undone", actor: "ana", to: "ana" }, "bo", true],
] as const)("what a divider leaves out is said: %s", (_, change, owner, want) => {
  expect(explains(line(1, change), owner)).toBe(want);
});

test.each([
  [{ kind: "assigned", actor: "ana", to: "ana" }, "Ana took this conversation"],
  [{ kind: "assigned", actor: "ana", to: "dee" }, "Ana assigned this to Dee"],
  [{ kind: "transferred", actor: "ana", to: "dee", note: "knows the supplier" }, "Ana transferred this to Dee: knows the supplier"],
  [{ kind: "transferred", actor: "ana", to: "ana" }, "Ana took this over"],
  [{ kind: "returned", actor: "bo" }, "Bo returned this to the inbox"],
  [{ kind: "done", actor: "ana" }, "Ana marked this as done"],
  [{ kind: "returned", why: "away" }, "Its owner was away: returned to the inbox"],
  [{ kind: "snoozed", actor: "ana", to: "ana", untilMs: NOON + 26 * 60 * MINUTE }, "Ana snoozed this until Wed 11 Mar, 14:00"],
  [{ kind: "woken", actor: "ana", to: "ana" }, "Ana woke this"],
  [{ kind: "woken" }, "Woken"],
  [{ kind: "undone", actor: "ana", to: "ana" }, "Ana undid the last change"],
] as const)("system line %#", (change, words) => {
  expect(systemWords(line(1, change), "", nameOf)).toBe(words);
});

test("who finished it: the last time", () => {
  expect(finished([line(1, { kind: "done", actor: "ana" }), line(2), line(3, { kind: "done", actor: "dee" }), line(4)])).toEqual({
    by: "dee",
    atMs: NOON + 3 * MINUTE,
  });
  expect(finished([line(1)])).toBeNull();
});

test("delivery states as words", () => {
  expect(deliveryWords(line(1, { state: "failed", reason: "no such number" }))).toBe("Failed: no such number");
  expect(deliveryWords(line(1, { state: "sending" }))).toBe("Sending…");
  expect(deliveryWords(line(1))).toBe("");
});

test("totals say only what there is", () => {
  expect(totalsWords(12, 2)).toBe("12 new unassigned, 2 new for you");
  expect(totalsWords(0, 0)).toBe("");
});
