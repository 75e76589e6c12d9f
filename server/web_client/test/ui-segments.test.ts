import { describe, expect, test } from "vitest";
import { counter, segments } from "../src/ui/segments";
import vectors from "../../../tests/vectors/segments.json";

describe("GSM-7", () => {
  test.each([
    [0, 0, 160],
    [1, 1, 160],
    [160, 1, 160],
    [161, 2, 306],
    [306, 2, 306],
    [307, 3, 459],
  ])("%i letters make %i segments with room for %i", (length, count, room) => {
    expect(segments("a".repeat(length))).toEqual({ encoding: "GSM-7", used: length, room, count });
  });

  test("the extension table takes two places each", () => {
    expect(segments("€[]{}~^|\\").used).toBe(18);
    expect(segments("a".repeat(158) + "€").count).toBe(1);
    expect(segments("a".repeat(159) + "€").count).toBe(2);
  });

  test("an escaped character is not cut in two: a place stays empty", () => {
    const text = "a".repeat(152) + "€" + "a".repeat(152);
    expect(segments(text)).toMatchObject({ used: 153 + 2 + 152 - 1 + 1, count: 3 });
    expect(segments("a".repeat(152) + "€" + "a".repeat(151)).count).toBe(2);
  });

  test("accents of the alphabet stay GSM-7", () => {
    expect(segments("ça va").encoding).toBe("UCS-2");
    expect(segments("Größe, señor, Åse, è, Ç").encoding).toBe("GSM-7");
  });
});

describe("UCS-2", () => {
  test.each([
    ["я".repeat(70), 1, 70],
    ["я".repeat(71), 2, 134],
    ["я".repeat(134), 2, 134],
    ["я".repeat(135), 3, 201],
  ])("counts in 16-bit units", (text, count, room) => {
    expect(segments(text)).toMatchObject({ encoding: "UCS-2", count, room });
  });

  test("an emoji takes two units and is not cut in two", () => {
    expect(segments("😀").used).toBe(2);
    expect(segments("😀".repeat(35)).count).toBe(1);
    expect(segments("😀".repeat(36)).count).toBe(2);
    expect(segments("😀".repeat(66)).count).toBe(2);
    expect(segments("😀".repeat(67)).count).toBe(3);
  });
});

test("texts take as many as the server says", () => {
  expect(vectors.length).toBeGreaterThan(50);
  for (const { text, ...sizes } of vectors) expect(segments(text)).toEqual(sizes);
});

test("the counter as people read it", () => {
  expect(counter("")).toBe("0/160 · 1 SMS");
  expect(counter("a".repeat(142))).toBe("142/160 · 1 SMS");
  expect(counter("a".repeat(161))).toBe("161/306 · 2 SMS");
  expect(counter("😀")).toBe("2/70 · 1 SMS");
});
