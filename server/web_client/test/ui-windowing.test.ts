import { describe, expect, test } from "vitest";
import { hold, reveal, ROWS_MAX, slices } from "../src/ui/windowing";

const SIZES = { head: 36, row: 64, overscan: 6 };

describe("slices", () => {
  test("sections lie one after the other", () => {
    const [first, second] = slices([{ rows: 3, tail: 0 }, { rows: 0, tail: 64 }], SIZES, 0, 800);
    expect(first).toEqual({ top: 0, bodyTop: 36, bodyHeight: 192, from: 0, to: 3 });
    expect(second).toEqual({ top: 228, bodyTop: 264, bodyHeight: 64, from: 0, to: 0 });
  });

  test("whatever is in sight exists, and never more than the limit", () => {
    const shapes = [{ rows: 100_000, tail: 0 }, { rows: 7, tail: 0 }, { rows: 500, tail: 64 }];
    const total = 36 * 3 + (100_000 + 7 + 500) * 64 + 64;
    for (let scrollTop = 0; scrollTop < total; scrollTop += 9_973) {
      const found = slices(shapes, SIZES, scrollTop, 900);
      let count = 0;
      found.forEach(({ bodyTop, from, to }, at) => {
        count += to - from;
        const rows = shapes[at]?.rows ?? 0;
        for (const edge of [scrollTop, scrollTop + 899]) {
          const row = Math.floor((edge - bodyTop) / 64);
          if (edge >= bodyTop && row < rows) expect(from <= row && row < to).toBe(true);
        }
      });
      expect(count).toBeLessThanOrEqual(ROWS_MAX);
    }
  });

  test("a very tall window keeps to the limit", () => {
    const found = slices([{ rows: 900, tail: 0 }, { rows: 900, tail: 0 }], SIZES, 0, 90_000);
    expect(found.reduce((sum, { from, to }) => sum + to - from, 0)).toBe(ROWS_MAX);
  });
});

describe("hold", () => {
  test("a row that moved stays where it was on the screen", () => {
    for (const [before, after, scrollTop, lead] of [
      [300, 364, 100, 0],
      [364, 300, 100, 0],
      [300, 36, 100, 0],
      [300, 364, 0, 64],
      [300, 364, 0, 20],
    ] as const) {
      const held = hold(before, after, scrollTop, lead);
      expect(after + held.lead - held.scrollTop).toBe(before + lead - scrollTop);
      expect(held.scrollTop).toBeGreaterThanOrEqual(0);
      expect(held.lead).toBeGreaterThanOrEqual(0);
    }
  });

  test("empty space only where there is no other way", () => {
    expect(hold(300, 236, 100, 0)).toEqual({ scrollTop: 36, lead: 0 });
    expect(hold(300, 236, 0, 0)).toEqual({ scrollTop: 0, lead: 64 });
    expect(hold(236, 300, 0, 64)).toEqual({ scrollTop: 0, lead: 0 });
  });
});

test("reveal scrolls no further than it has to", () => {
  expect(reveal(500, 64, 400, 600, 36, 72)).toBe(400);
  expect(reveal(410, 64, 400, 600, 36, 72)).toBe(374);
  expect(reveal(900, 64, 400, 600, 36, 72)).toBe(436);
  expect(reveal(10, 64, 400, 600, 36, 72)).toBe(0);
});
