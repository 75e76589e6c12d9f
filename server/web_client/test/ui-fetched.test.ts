/** A file that the server may still be fetching: what each of its answers means. */
import { afterEach, expect, test, vi } from "vitest";
import { look } from "../src/ui/fetched";

afterEach(() => vi.unstubAllGlobals());

const answers = (status: number, body: string, headers: Record<string, string> = {}): void => {
  vi.stubGlobal("fetch", () => Promise.resolve(new Response(body, { status, headers })));
};

test("there: its type and size, whatever else the header says", async () => {
  answers(200, "x", { "content-type": "text/plain; charset=utf-8", "content-length": "1" });
  expect(await look("/f")).toEqual({ state: "ready", type: "text/plain", size: 1 });
});

test("not yet: the pause that the server asks for", async () => {
  answers(503, "", { "retry-after": "2" });
  expect(await look("/f")).toEqual({ state: "waiting", retryMs: 2000 });
  answers(429, "");
  expect(await look("/f")).toEqual({ state: "waiting", retryMs: 0 });
});

test("gone: in the server's words, or in ours", async () => {
  answers(410, JSON.stringify({ detail: "The carrier has deleted it." }));
  expect(await look("/f")).toEqual({ state: "gone", words: "The carrier has deleted it." });
  answers(404, "no JSON");
  expect(await look("/f")).toMatchObject({ state: "gone", words: "This file could not be fetched." });
});

test("nobody answers: it is asked again", async () => {
  vi.stubGlobal("fetch", () => Promise.reject(new TypeError("no network")));
  expect(await look("/f")).toEqual({ state: "waiting", retryMs: 0 });
});
