import { describe, expect, test } from "vitest";
import { handedWords, releasedWords, returnedWords, typingWords } from "../src/ui/away_words";
import { untilTime } from "../src/ui/format";
import { choiceWords, fieldValue, momentWords, snoozeTimes, timeProblem } from "../src/ui/snooze_times";

const at = (day: number, hour: number, minutes = 0): number => new Date(2026, 10, day, hour, minutes).getTime();
// 29 November 2026 is a Sunday.
const labels = (nowMs: number): (string | number)[][] => snoozeTimes(nowMs).map(({ label, atMs }) => [label, new Date(atMs).getDate(), new Date(atMs).getHours()]);

describe("times to snooze until", () => {
  test("on a weekday's morning", () => {
    expect(labels(at(24, 10))).toEqual([
      ["In 1 hour", 24, 11],
      ["This evening", 24, 18],
      ["Tomorrow", 25, 9],
      ["Monday", 30, 9],
    ]);
  });

  test("no evening when it is there, no Monday when that is tomorrow, the next one on a Monday", () => {
    expect(labels(at(24, 17, 30)).map(([label]) => label)).toEqual(["In 1 hour", "Tomorrow", "Monday"]);
    expect(labels(at(29, 10)).map(([label]) => label)).toEqual(["In 1 hour", "This evening", "Tomorrow"]);
    expect(labels(at(23, 10)).at(-1)).toEqual(["Monday", 30, 9]);
  });

  test("a field's value is local, and comes back as the same moment", () => {
    expect(fieldValue(at(24, 10, 5))).toBe("2026-11-24T10:05");
    expect(new Date(fieldValue(at(24, 10, 5))).getTime()).toBe(at(24, 10, 5));
  });

  test("what cannot be the time", () => {
    const now = at(24, 10);
    expect(timeProblem("", now)).toContain("Choose");
    expect(timeProblem(fieldValue(now - 60_000), now)).toContain("past");
    expect(timeProblem(fieldValue(now + 400 * 86_400_000), now)).toContain("year");
    expect(timeProblem(fieldValue(now + 60_000), now)).toBe("");
  });

  test("a moment in words", () => {
    const now = at(24, 10);
    expect(momentWords(at(24, 18), now)).toBe("18:00");
    expect(momentWords(at(25, 9), now)).toBe("tomorrow 09:00");
    expect(momentWords(at(30, 9), now)).toBe("Mon 30 Nov, 09:00");
    expect([choiceWords(at(24, 18), now), choiceWords(at(30, 9), now)]).toEqual(["18:00", "Mon 09:00"]);
    expect([untilTime(at(24, 18), now), untilTime(at(30, 9), now)]).toEqual(["18:00", "30 Nov, 09:00"]);
  });
});

describe("words", () => {
  test("why it went back", () => {
    expect(returnedWords("away", "Bo", "Bo")).toBe("Bo was away: returned to the inbox");
    expect(returnedWords("offline", "You", "you")).toBe("You were offline: returned to the inbox");
    expect(returnedWords("silent", "You", "you")).toBe("No answer from you: returned to the inbox");
    expect(returnedWords("silent", "", "")).toBe("No answer from its owner: returned to the inbox");
    expect(returnedWords("woken", "Bo", "Bo")).toBe("Bo was away when it was due: returned to the inbox");
    expect(releasedWords("away", "+1 416 555 0142")).toBe("You are away: the conversation with +1 416 555 0142 went back to the inbox.");
    expect(releasedWords("silent", "Lee")).toBe("Nobody answered for too long: the conversation with Lee went back to the inbox.");
  });

  test("to whom it was given, and who types", () => {
    expect(handedWords("Transferred", "Bo", "away")).toBe("Transferred to Bo, who is away.");
    expect(handedWords("Assigned", "Bo", "")).toBe("Assigned to Bo.");
    expect(typingWords(["Ana"])).toBe("Ana is typing…");
    expect(typingWords(["Ana", "Bo", "Dee"])).toBe("Ana, Bo and Dee are typing…");
    expect(typingWords([])).toBe("");
  });
});
