/** What the thread says about messages: how far they came, words to the carrier, files. */
import { signal } from "@preact/signals";
import { describe, expect, test } from "vitest";
import type { Line, MediaRef } from "../src/contract";
import { aboutFile, isPicture, mmsWords, sizeWords, typeWords } from "../src/ui/file_words";
import { remarks } from "../src/ui/keywords";
import { reasonWords } from "../src/ui/reasons";
import { arrange } from "../src/ui/thread_model";
import { isSystem } from "../src/ui/thread_words";
import vectors from "../../../tests/vectors/keywords.json";
import { BYTES_MAX, bytesOf, FILES_MAX, fitting, underWay, uploadsOf, type Upload } from "../src/ui/uploads";

function line(n: number, text: string, change: Partial<Line> = {}): Line {
  return {
    key: `k${n}`, n, atMs: n * 1000, kind: "received", actor: "", text, media: [], why: "",
    untilMs: 0, to: "", mentions: [], note: "", state: "", reason: "", ...change,
  };
}

test.each([
  ["recipient_opted_out", "this customer opted out"],
  ["number not routed", "our number leads to no inbox"],
  ["HTTP 403", "the carrier does not accept our password (HTTP 403)"],
  ["HTTP 400", "the carrier refused it (HTTP 400)"],
  ["HTTP 502", "the carrier is out of order (HTTP 502)"],
  ["Number Unreachable", "the phone cannot be reached"],
  ["unreachable: ConnectError", "the carrier could not be reached (ConnectError)"],
  ["filtered as spam", "filtered as spam"],
])("why it failed: %s", (reason, words) => {
  expect(reasonWords(reason)).toBe(words);
});

describe("words to the carrier", () => {
  const said = (...texts: string[]): string[] => {
    const lines = texts.map((text, n) => line(n, text));
    const found = remarks(lines);
    return lines.map(({ key }) => found.get(key) ?? "");
  };

  test("STOP in any case, alone in its text, opts out", () => {
    expect(said("  stop\n", "Stop it", "UNSUBSCRIBE")).toEqual([
      "The customer opted out (STOP).", "", "The customer opted out (UNSUBSCRIBE).",
    ]);
  });

  test("the words are the server's", () => {
    for (const { text, word } of vectors) {
      const found = said(text, "stop", text);
      expect(found[0] !== "").toBe(word === "stop");
      expect((found[2] ?? "").startsWith("The customer opted in")).toBe(word === "start");
    }
  });

  test("who is in says yes and means yes", () => {
    expect(said("yes", "STOP", "Yes", "START")).toEqual([
      "", "The customer opted out (STOP).", "The customer opted in again (YES).", "",
    ]);
  });

  test("what we write opts nobody out", () => {
    expect(remarks([line(1, "stop", { kind: "replied", actor: "ana" })]).size).toBe(0);
  });

  test("a remark stands under its message, and the next one begins anew", () => {
    const items = arrange([line(1, "Hi"), line(2, "STOP"), line(3, "Hello?")]);
    expect(items.map(({ type }) => type)).toEqual(["day", "group", "remark", "group"]);
  });
});

test("an automatic answer is a message of ours", () => {
  const answer = line(1, "You are opted out.", { kind: "answered", state: "sent" });
  expect(isSystem(answer)).toBe(false);
  expect(arrange([answer])[1]).toMatchObject({ type: "group", side: "team", actor: "" });
});

describe("files", () => {
  test.each([
    [0, ""], [999, "999 bytes"], [1000, "1 kB"], [412_345, "412 kB"], [999_499, "999 kB"], [999_500, "1.0 MB"], [4_960_000, "5.0 MB"],
  ])("%i bytes", (bytes, words) => {
    expect(sizeWords(bytes)).toBe(words);
  });

  test("types in words", () => {
    expect(["image/png", "application/pdf", "video/mp4", "audio/amr", "text/vcard", "x/y", ""].map(typeWords)).toEqual([
      "PNG picture", "PDF", "Video", "Audio", "Contact card", "File", "File",
    ]);
    expect(aboutFile("application/pdf", 412_000)).toBe("PDF · 412 kB");
    expect(aboutFile("", 0)).toBe("File");
    expect(mmsWords([{ size: 400_000 }, { size: 12_000 }])).toBe("MMS · 412 kB");
  });

  test("only what cannot run is drawn", () => {
    expect(["image/png", "image/webp", "image/svg+xml", "text/html", ""].filter(isPicture)).toEqual(["image/png", "image/webp"]);
  });

  const file = (name: string, size: number) => ({ name, size });

  test("ten files at most, in the order they came", () => {
    const many = Array.from({ length: 12 }, (_, n) => file(`${n}.png`, 1));
    const { taken, why } = fitting({ count: 1, bytes: 1 }, many);
    expect(taken).toHaveLength(FILES_MAX - 1);
    expect(why).toContain("9.png was left out");
  });

  test("5 MB together", () => {
    const fits = fitting({ count: 0, bytes: 0 }, [file("a", BYTES_MAX)]);
    expect([fits.taken.length, fits.why]).toEqual([1, ""]);
    const both = fitting({ count: 0, bytes: 0 }, [file("a", BYTES_MAX - 1), file("b", 2)]);
    expect(both.taken.map(({ name }) => name)).toEqual(["a"]);
    const over = fitting({ count: 1, bytes: 1 }, [file("a", BYTES_MAX)]);
    expect(over.taken).toHaveLength(0);
    expect(over.why).toContain("5 MB together");
  });

  test("what failed neither counts nor holds up", () => {
    const failed: Upload = { key: "u", name: "x", size: 500, sent: 1, problem: "no" };
    const tray = { files: signal<readonly MediaRef[]>([{ id: "m", type: "", size: 7, name: "" }]), uploads: signal<readonly Upload[]>([failed]) };
    expect([bytesOf(tray), underWay(tray)]).toEqual([7, false]);
    tray.uploads.value = [{ ...failed, problem: "" }];
    expect([bytesOf(tray), underWay(tray)]).toEqual([507, true]);
  });

  test("what is under way stays with its conversation, however many are opened meanwhile", () => {
    const [busy, idle] = [uploadsOf("busy"), uploadsOf("idle")];
    busy.value = [{ key: "k", name: "a.png", size: 1, sent: 0, problem: "" }];
    for (let at = 0; at < 150; at += 1) uploadsOf(`conversation ${at}`);
    expect(uploadsOf("busy")).toBe(busy);
    expect(uploadsOf("idle")).not.toBe(idle);
  });
});
