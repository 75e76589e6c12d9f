import { afterEach, describe, expect, test, vi } from "vitest";
import { Problem } from "../src/ui/admin/api";
import { fieldsProblem, importWords, numbersIn } from "../src/ui/contact_words";
import { importContacts, type ImportLine } from "../src/ui/contacts_api";

describe("what is typed for a contact", () => {
  test("numbers in lines or with commas, each once", () => {
    expect(numbersIn("+1 (416) 555-0142\n\n0044 20 7946 0018, +14165550142")).toEqual(["+14165550142", "+442079460018"]);
    expect(numbersIn(" \n")).toEqual([]);
  });
  test.each([
    [{ name: "", numbers: [], note: "" }, "Write a name."],
    [{ name: "Lee", numbers: ["4165550142"], note: "" }, "4165550142 is not a number with its country code, like +1 416 555 0142."],
    [{ name: "Lee", numbers: Array.from({ length: 21 }, (_, n) => `+1416555${1000 + n}`), note: "" }, "A contact has 20 numbers at most."],
    [{ name: "Lee", numbers: [], note: "" }, ""],
    [{ name: "Lee", numbers: ["+14165550142"], note: "x" }, ""],
  ])("%j", (fields, problem) => expect(fieldsProblem(fields)).toBe(problem));
});

test.each([
  [{ created: 3, updated: 1, unchanged: 20, error: 2 }, "3 new, 1 changed, 20 as they were, 2 lines with errors"],
  [{ created: 0, updated: 0, unchanged: 0, error: 1 }, "1 line with an error"],
  [{ created: 12_000, updated: 0, unchanged: 0, error: 0 }, "12,000 new"],
  [{ created: 0, updated: 0, unchanged: 0, error: 0 }, "The file has no contacts"],
])("%j", (end, words) => expect(importWords({ kind: "end", ...end })).toBe(words));

describe("an import's answer", () => {
  afterEach(() => void vi.unstubAllGlobals());

  const answering = (...chunks: string[]): void => {
    const bytes = chunks.map((chunk) => new TextEncoder().encode(chunk));
    const body = new ReadableStream({
      pull(stream) {
        const next = bytes.shift();
        if (next) stream.enqueue(next);
        else stream.close();
      },
    });
    vi.stubGlobal("fetch", () => Promise.resolve(new Response(body, { headers: { "content-type": "application/x-ndjson" } })));
  };
  const run = (lines: ImportLine[]) =>
    importContacts(new Blob(["x"]), { region: "", dry: true, line: (line) => lines.push(line), signal: new AbortController().signal });

  test("is read by lines, however it is cut", async () => {
    answering('{"kind":"line","line":2,"outcome":"created","name":"Zoë', '","error":""}\n{"kind":"li', 'ne","line":3,"outcome":"error","name":"","error":"No name."}\n{"kind":"end","created":1,', '"updated":0,"unchanged":0,"error":1,"dry_run":true}\n');
    const lines: ImportLine[] = [];
    expect((await run(lines)).created).toBe(1);
    expect(lines.map(({ line, name, error }) => [line, name, error])).toEqual([[2, "Zoë", ""], [3, "", "No name."]]);
  });
  test("that breaks off is no success", async () => {
    answering('{"kind":"line","line":2,"outcome":"created","name":"A","error":""}\n');
    await expect(run([])).rejects.toBeInstanceOf(Problem);
  });
  test("that refuses says why", async () => {
    vi.stubGlobal("fetch", () => Promise.resolve(Response.json({ code: "bad_request", detail: "No column name." }, { status: 400 })));
    await expect(run([])).rejects.toThrow("No column name.");
  });
});
