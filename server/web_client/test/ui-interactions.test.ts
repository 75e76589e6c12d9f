/** Interactions and rooms as they are arranged for reading. */
import { describe, expect, test } from "vitest";
import type { Line } from "../src/contract";
import { merged } from "../src/ui/interactions_model";
import { arrangeRoom, lastOwn, membershipMark } from "../src/ui/room_model";
import { roomLineWords, unreadWords } from "../src/ui/room_words";

const NOON = new Date(2026, 2, 10, 12).getTime();

function line(n: number, change: Partial<Line> = {}): Line {
  return {
    key: `k${n}`, n, atMs: NOON + n * 1000, kind: "posted", actor: "ana", text: `text ${n}`, media: [], why: "",
    untilMs: 0, to: "", mentions: [], note: "", state: "", reason: "", ...change,
  };
}

const at = (ms: number) => ({ id: `~${ms}`, lastMs: ms });
const msOf = (id: string): number => Number(id.slice(1));

describe("conversations and rooms in one list", () => {
  test.each([
    ["newest first", ["x9", "x5", "x1"], [7, 3], true, ["x9", "~7", "x5", "~3", "x1"]],
    ["rooms at either end", ["x5"], [9, 1], true, ["~9", "x5", "~1"]],
    ["no conversation", [], [9, 1], true, ["~9", "~1"]],
    ["no room", ["x5", "x1"], [], true, ["x5", "x1"]],
    ["below what is loaded conversations may be missing: no room is shown there", ["x9", "x5"], [7, 4, 3], false, ["x9", "~7", "x5"]],
    ["nothing is loaded yet: nothing is known of any place", [], [7], false, []],
    ["at the same moment the conversation comes first", ["x7"], [7], true, ["x7", "~7"]],
  ])("%s", (_, external, rooms, whole, want) => {
    expect(merged(external, msOf, rooms.map(at), whole)).toEqual(want);
  });

  test("as by sorting, whatever there is", () => {
    for (let seed = 1; seed < 200; seed++) {
      const numbers = Array.from({ length: 30 }, (_, i) => (seed * 7919 * (i + 1)) % 997).sort((a, b) => b - a);
      const unique = [...new Set(numbers)];
      const external = unique.filter((n) => n % 3).map((n) => `x${n}`);
      const rooms = unique.filter((n) => n % 3 === 0);
      const want = unique.map((n) => (n % 3 ? `x${n}` : `~${n}`));
      expect(merged(external, msOf, rooms.map(at), true)).toEqual(want);
    }
  });
});

describe("a room's lines", () => {
  test("are grouped by author, broken by time, days, what happened and what is new", () => {
    const items = arrangeRoom(
      [line(1), line(2), line(3, { actor: "bo" }), line(4, { kind: "member_joined", to: "dee" }), line(5), line(6), line(1000, { actor: "ana" })],
      6,
    );
    expect(items.map((item) => (item.type === "group" ? item.lines.map(({ n }) => n) : item.type))).toEqual([
      "day", [1, 2], [3], "system", [5], "unread", [6], [1000],
    ]);
  });

  test("have unique keys", () => {
    const keys = arrangeRoom([line(1), line(2, { actor: "bo" }), line(3)], 2).map(({ key }) => key);
    expect(new Set(keys).size).toBe(keys.length);
  });

  test("the last of mine that can be changed is neither deleted nor unconfirmed", () => {
    expect(lastOwn([line(1), line(2, { state: "deleted" }), line(0), line(3, { actor: "bo" })], "ana")).toBe(1);
    expect(lastOwn([line(3, { actor: "bo" })], "ana")).toBe(0);
  });

  test("who is in it is asked again after the last who came or went", () => {
    expect(membershipMark([line(1), line(2, { kind: "member_joined" }), line(3)])).toBe(2);
    expect(membershipMark([line(1)])).toBe(0);
  });
});

describe("words", () => {
  const names: Readonly<Record<string, string>> = { ana: "Ana", bo: "Bo" };
  const naming = (id: string, acting?: boolean): string => (id === "me" ? (acting ? "You" : "you") : (names[id] ?? id));
  test.each<[Partial<Line>, string]>([
    [{ kind: "room_created" }, "Ana made this channel"],
    [{ kind: "room_changed", text: "night" }, "Ana renamed this channel to night"],
    [{ kind: "room_changed", text: "", why: "archived" }, "Ana archived this channel"],
    [{ kind: "room_changed", text: "", why: "reopened" }, "Ana opened this channel again"],
    [{ kind: "member_joined", to: "ana" }, "Ana joined"],
    [{ kind: "member_joined", actor: "me", to: "bo" }, "You added Bo"],
    [{ kind: "member_removed", to: "ana" }, "Ana left"],
    [{ kind: "member_removed", to: "me" }, "Ana removed you"],
    [{ kind: "member_removed", actor: "", to: "bo" }, "Bo left the organisation"],
    [{ kind: "posted" }, ""],
  ])("%j", (change, words) => {
    expect(roomLineWords(line(1, change), "public", naming)).toBe(words);
  });

  test("a direct room was not made by anybody", () => {
    expect(roomLineWords(line(1, { kind: "room_created" }), "direct", naming)).toBe("");
  });

  test.each([[0, 0, ""], [2, 0, "2 unread"], [2, 1, "2 unread, 1 mentions you"], [3, 2, "3 unread, 2 mention you"]])("%i, %i", (unread, mentions, words) => {
    expect(unreadWords(unread, mentions)).toBe(words);
  });
});
