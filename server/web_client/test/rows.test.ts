import { expect, test } from "vitest";
import { Rows, inboxOf } from "../src/store/rows";
import { row } from "./builders";

test("the higher revision wins, in whatever order they come", () => {
  const rows = new Rows(10);
  expect(rows.put(row({ rev: 5 }), 5)).toBe(true);
  expect(rows.put(row({ rev: 4, preview: "older" }), 9)).toBe(false);
  expect(rows.put(row({ rev: 5, preview: "again" }), 5)).toBe(false);
  expect(rows.put(row({ rev: 6, preview: "newer" }), 6)).toBe(true);
  expect(rows.get("sales.c1")?.preview).toBe("newer");
});

test("an event's row replaces an answer's of the same revision", () => {
  const rows = new Rows(10);
  rows.put(row({ rev: 5, preview: "of a lost history" }), 5);
  expect(rows.put(row({ rev: 5 }), 5, true)).toBe(true);
  expect(rows.get("sales.c1")?.preview).toBe("Hi?");
});

test("a reset forgets the inbox: revisions compare within a history only", () => {
  const rows = new Rows(10);
  rows.put(row({ rev: 50 }), 50);
  rows.put(row({ id: "support.c1", rev: 3 }), 3);
  expect(rows.forget("sales")).toEqual(["sales.c1"]);
  expect(rows.put(row({ rev: 2 }), 2)).toBe(true);
  expect(rows.get("support.c1")?.rev).toBe(3);
});

test("what was erased wholly comes back by no answer from before", () => {
  const rows = new Rows(10);
  rows.put(row({ rev: 5 }), 5);
  rows.erase("sales.c1", 9);
  expect(rows.get("sales.c1")).toBeUndefined();
  expect(rows.put(row({ rev: 5 }), 8)).toBe(false);
  expect(rows.put(row({ id: "sales.c2", rev: 6 }), 9)).toBe(true);
});

test("evicts what changed longest ago, but for what is kept", () => {
  const rows = new Rows(3);
  for (let i = 1; i <= 5; i++) rows.put(row({ id: `sales.c${i}`, rev: i }), i);
  rows.put(row({ id: "sales.c1", rev: 6 }), 6); // the newest now
  expect(rows.trim((one) => one.id === "sales.c2")).toEqual(["sales.c3", "sales.c4"]);
  expect(rows.size).toBe(3);
});

test("an answer from before an eviction does not bring a row back as it was", () => {
  const rows = new Rows(1);
  rows.put(row({ id: "sales.c1", rev: 8 }), 8);
  rows.put(row({ id: "sales.c2", rev: 9 }), 9);
  expect(rows.trim(() => false)).toEqual(["sales.c1"]);
  expect(rows.trusts("sales.c1", 7)).toBe(false);
  expect(rows.put(row({ id: "sales.c1", rev: 5 }), 7)).toBe(false);
  expect(rows.put(row({ id: "sales.c1", rev: 8 }), 8)).toBe(true);
});

test("a conversation's id begins with its inbox's", () => {
  expect(inboxOf("sales.c1")).toBe("sales");
});
