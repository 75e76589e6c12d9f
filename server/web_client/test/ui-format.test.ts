import { describe, expect, test } from "vitest";
import { dayName } from "../src/ui/days";
import { toE164 } from "../src/ui/e164";
import { capped, daysAgo, initials, phoneNumber, shortTime, waiting } from "../src/ui/format";
import { pieces } from "../src/ui/pieces";

test.each([
  ["+14165550142", "+1 416 555 0142"],
  ["+442079460018", "+44 207 946 0018"],
  ["+4930123456", "+49 301 234 56"],
  ["+35312345678", "+353 123 456 78"],
  ["12345", "12345"],
  ["+0123456", "+0123456"],
  ["", ""],
])("%s reads %s", (number, words) => {
  expect(phoneNumber(number)).toBe(words);
  expect(toE164(phoneNumber(number))).toBe(number);
});

test("what people type becomes E.164", () => {
  expect(toE164(" +1 (416) 555-0142 ")).toBe("+14165550142");
  expect(toE164("0044 20 7946 0018")).toBe("+442079460018");
});

test("initials", () => {
  expect(initials("Dee Park")).toBe("DP");
  expect(initials("ana")).toBe("AN");
  expect(initials("Anne Marie van Dyk")).toBe("AD");
  expect(initials("")).toBe("?");
});

test("counts end at 99+", () => {
  expect([0, 99, 100, 5000].map(capped)).toEqual(["0", "99", "99+", "99+"]);
});

describe("times", () => {
  const now = new Date(2026, 2, 10, 9, 5).getTime();
  const on = (month: number, day: number, hour = 14, year = 2026): number => new Date(year, month, day, hour, 2).getTime();

  test("in a list", () => {
    expect(shortTime(on(2, 10, 0), now)).toBe("00:02");
    expect(shortTime(on(2, 9, 23), now)).toBe("Yesterday");
    expect(shortTime(on(0, 5), now)).toBe("5 Jan");
    expect(shortTime(on(11, 31, 14, 2025), now)).toBe("31 Dec 2025");
    expect(shortTime(0, now)).toBe("");
  });

  test("as dividers", () => {
    expect(dayName(on(2, 10), now)).toBe("Today");
    expect(dayName(on(2, 9, 0), now)).toBe("Yesterday");
    expect(dayName(on(2, 8), now)).toMatch(/^Sunday,? 8 March$/);
  });

  test("days go by the calendar, also where one has 23 hours", () => {
    expect(daysAgo(on(2, 7, 23), now)).toBe(3);
    expect(daysAgo(on(2, 11), now)).toBe(-1);
  });

  test("waiting", () => {
    const since = (minutes: number): string => waiting(now - minutes * 60_000, now);
    expect([0, 1, 59, 60, 47 * 60, 48 * 60].map(since)).toEqual(["", "1 min", "59 min", "1 h", "47 h", "2 d"]);
    expect(waiting(0, now)).toBe("");
  });
});

describe("links", () => {
  test("only http and https, without the punctuation after them", () => {
    expect(pieces("See https://example.com/a?b=1. Bye")).toEqual([
      { text: "See ", href: "" },
      { text: "https://example.com/a?b=1", href: "https://example.com/a?b=1" },
      { text: ". Bye", href: "" },
    ]);
    expect(pieces("javascript:alert(1) ftp://x <img src=x>")).toEqual([{ text: "javascript:alert(1) ftp://x <img src=x>", href: "" }]);
  });

  test("nothing is lost or doubled", () => {
    for (const text of ["", "a", "http://", "x https://a.b https://c.d/ y", "https://[", "(https://a.b)"]) {
      expect(pieces(text).map((piece) => piece.text).join("")).toBe(text);
    }
  });
});
