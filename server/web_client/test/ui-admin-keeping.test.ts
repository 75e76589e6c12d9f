import { afterEach, describe, expect, test, vi } from "vitest";
import { Problem } from "../src/ui/admin/api";
import { receiveExport, Watch, type Progress } from "../src/ui/admin/export_stream";
import { exportWords, sizeWords } from "../src/ui/admin/export_words";
import { archiveFacts, archiveWords, daysOf, daysWords, eraseWords } from "../src/ui/admin/keeping_words";

describe("days", () => {
  test.each([["", 0], ["0", 0], [" 30 ", 30], ["36500", 36_500], ["36501", null], ["-1", null], ["1.5", null], ["x", null]] as const)("%j", (typed, days) => expect(daysOf(typed)).toBe(days));
  test.each([[0, "For ever"], [1, "1 day"], [3650, "3,650 days"]])("%d", (days, words) => expect(daysWords(days)).toBe(words));
});

describe("what a change erases is said", () => {
  const rules = (external_days: number, internal_days: number) => ({ external_days, internal_days });
  test.each([
    [rules(0, 0), rules(30, 0), /messages with customers older than 30 days, for everybody/],
    [rules(90, 90), rules(30, 10), /with customers older than 30 days and messages in rooms older than 10 days/],
    [rules(30, 30), rules(90, 0), /^$/],
    [rules(30, 30), rules(30, 30), /^$/],
  ])("%j to %j", (before, after, words) => expect(eraseWords(before, after)).toMatch(words));
});

test("the archive's state", () => {
  expect(archiveWords("ok")).toContain("as they should be");
  expect(archiveWords("none")).toContain("There is no archive");
  expect(archiveWords("it is another engine's")).toBe("Nothing is moved to the archive at the moment: it is another engine's");
});

test("what is in it", () => {
  const report = { state: "ok", kind: "sqlite", messages: 1234, conversations: 2, size_bytes: 3_400_000, waiting: 0, memory_used: 12_345, memory_bound: 0 };
  expect(Object.fromEntries(archiveFacts(report))).toMatchObject({ Messages: "1,234", Size: "3.4 MB", "Engine's memory": "12 kB, no bound" });
  expect(archiveFacts({ ...report, state: "none", memory_bound: 1_000_000 })).toEqual([["Engine's memory", "12 kB of 1.0 MB"]]);
});

test("how much", () => {
  expect(exportWords({ header: 1, conversation: 1234, message: 1, user: 0 })).toBe("1,234 conversations, 1 message");
  expect(exportWords({})).toBe("nothing");
  expect([sizeWords(12), sizeWords(12_345), sizeWords(3_400_000)]).toEqual(["12 bytes", "12 kB", "3.4 MB"]);
});

const LINES = [
  '{"kind":"header","format":"batonbox-export","version":1}',
  '{"kind":"message","text":"{\\"kind\\":\\"end\\"}"}',
  '{"kind":"progress","done":1,"total":4}',
  `{"kind":"message","text":"${"é".repeat(300)}"}`,
  '{"kind":"progress","done":4,"total":4}',
  '{"kind":"end","counts":{"message":2},"sha256":"x"}',
];

test.each([1, 2, 7, 64, 5000])("lines are watched however they are cut: %d bytes", (size) => {
  const bytes = new TextEncoder().encode(`${LINES.join("\n")}\n`);
  const told: string[] = [];
  const watch = new Watch((line) => told.push(`${line.kind} ${line.done ?? ""}`));
  for (let at = 0; at < bytes.length; at += size) watch.bytes(bytes.slice(at, at + size));
  expect(told).toEqual(["progress 1", "progress 4", "end "]);
});

describe("the export", () => {
  afterEach(() => void vi.unstubAllGlobals());
  const answering = (lines: readonly string[], status = 200): void => {
    const body = new ReadableStream({
      start(stream) {
        for (const line of lines) stream.enqueue(new TextEncoder().encode(`${line}\n`));
        stream.close();
      },
    });
    vi.stubGlobal("fetch", () => Promise.resolve(new Response(body, { status })));
  };
  const receive = (seen: Progress[] = []) => receiveExport((now) => seen.push(now), new AbortController().signal);

  test("is the file as it came, and its progress is told", async () => {
    answering(LINES);
    const seen: Progress[] = [];
    const { file, counts } = await receive(seen);
    expect(await file.text()).toBe(`${LINES.join("\n")}\n`);
    expect(counts).toEqual({ message: 2 });
    expect(seen.at(-1)).toMatchObject({ done: 4, total: 4, bytes: file.size });
  });
  test("that is not whole is none", async () => {
    answering(LINES.slice(0, -1));
    await expect(receive()).rejects.toThrow("broke off");
  });
  test("that the server gives up says why", async () => {
    answering([...LINES.slice(0, 3), '{"kind":"error","code":"forbidden","detail":"You are no admin any more."}']);
    await expect(receive()).rejects.toThrow("You are no admin any more.");
  });
  test("that is refused says why", async () => {
    vi.stubGlobal("fetch", () => Promise.resolve(Response.json({ code: "rate_limited", detail: "One at a time." }, { status: 429 })));
    await expect(receive()).rejects.toBeInstanceOf(Problem);
  });
});
