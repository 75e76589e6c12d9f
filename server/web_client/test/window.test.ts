import { describe, expect, test } from "vitest";
import { Sorted, Window, compareEntries, type Entry } from "../src/store/window";
import { Rng } from "./random";

const entry = (id: string, ms: number, inbox = "sales"): Entry => ({ id, inbox, ms });
const ids = (list: Sorted) => list.entries.map((one) => one.id);

test("newest first, then by inbox and id", () => {
  const entries = [entry("b", 1), entry("a", 1), entry("c", 2), entry("d", 1, "a")];
  expect(entries.sort(compareEntries).map((one) => one.id)).toEqual(["c", "d", "a", "b"]);
});

test("inserting and removing keep the order of a sorted array", () => {
  const rng = new Rng(7);
  const list = new Sorted();
  let plain: Entry[] = [];
  for (let i = 0; i < 2000; i++) {
    const known = rng.maybe(plain);
    if (known !== undefined && rng.chance(0.45)) {
      plain = plain.filter((one) => one !== known);
      expect(list.remove(known)).toBeGreaterThanOrEqual(0);
    } else {
      const fresh = entry(`c${i}`, rng.below(300));
      plain.push(fresh);
      list.insert(fresh);
    }
  }
  expect(list.entries).toEqual(plain.sort(compareEntries));
  expect(list.remove(entry("nobody", 3))).toBe(-1);
});

test("the same entry is in it once", () => {
  const list = new Sorted();
  list.insert(entry("a", 1));
  expect(list.insert(entry("a", 1))).toBe(-1);
  expect(ids(list)).toEqual(["a"]);
});

describe("a window", () => {
  test("holds what changed at its floor or later", () => {
    const window = new Window();
    expect(window.covers(9e15)).toBe(false);
    window.lower(100);
    expect([window.covers(100), window.covers(99)]).toEqual([true, false]);
    expect(window.complete).toBe(false);
    window.lower(-Infinity);
    expect(window.complete).toBe(true);
  });

  test("cut short, it is a shorter head and not complete any more", () => {
    const window = new Window();
    window.lower(-Infinity);
    for (let i = 0; i < 6; i++) window.insert(entry(`c${i}`, 100 - i));
    expect(window.truncate(4).map((one) => one.id)).toEqual(["c4", "c5"]);
    expect(window.floor).toBe(97);
    expect(window.complete).toBe(false);
    expect(window.truncate(4)).toEqual([]);
  });

  test("cut between equal times, it keeps both", () => {
    const window = new Window();
    for (const id of ["a", "b", "c"]) window.insert(entry(id, id === "c" ? 1 : 5));
    expect(window.truncate(1).map((one) => one.id)).toEqual(["c"]);
  });

  test("emptied, it wants to be as long as it was asked to be", () => {
    const window = new Window();
    window.want = 3;
    for (let i = 0; i < 6; i++) window.insert(entry(`c${i}`, i));
    window.asked = 7;
    window.reset(50);
    expect([window.entries.length, window.want, window.floor, window.asked]).toEqual([0, 3, 50, null]);
  });
});
