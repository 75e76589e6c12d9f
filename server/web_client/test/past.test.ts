import { beforeEach, expect, test } from "vitest";
import { Core } from "../src/store/core";
import { PAST_MAX, Past } from "../src/store/past";
import type { Answer } from "../src/store/requests";
import type { EventMeta } from "../src/store/shapes";
import type { Message } from "../src/wire";

const message = (n: number): Message => [n, n, 1000 * n, "received", "", "", "", { text: `text ${n}` }] as unknown as Message;

let asked: { before: number; n: number; answered: (answer: Answer) => void }[];
let core: Core;

beforeEach(() => {
  asked = [];
  core = new Core();
  core.out = {
    ask: (_op, [, before, n], answered) => asked.push({ before: before as number, n: n as number, answered }) > 0,
    tell: () => true,
    nowMs: () => 0,
    later: () => () => undefined,
    flush: () => undefined,
  };
});

/** The server answers the oldest question, of a conversation with `total` lines. */
function answer(total: number): void {
  const { before, n, answered } = asked.shift() as (typeof asked)[0];
  const to = Math.min(total, before - 1);
  const from = Math.max(1, to - n + 1);
  const messages = Array.from({ length: Math.max(0, to - from + 1) }, (_, place) => message(from + place));
  answered({ kind: "ok", result: { messages, next: from > 1 ? from : null } });
}

test("the line stands in the middle of what is read, and both ways lead on without gap or double", () => {
  const { face } = new Past(core, "a.b", 500);
  expect(face.loading.value).toBe(true);
  answer(1000);
  const around = face.lines.value.map(({ n }) => n);
  expect(around[0]).toBeLessThan(500);
  expect(around.at(-1)).toBeGreaterThan(500);
  expect([face.atStart.value, face.atEnd.value, face.loading.value]).toEqual([false, false, false]);
  face.older();
  face.older(); // one at a time
  expect(asked).toHaveLength(1);
  answer(1000);
  face.newer();
  answer(1000);
  const all = face.lines.value.map(({ n }) => n);
  expect(all).toEqual(Array.from({ length: 150 }, (_, place) => (all[0] as number) + place));
});

test("the beginning and the end are known", () => {
  const { face } = new Past(core, "a.b", 3);
  answer(40);
  expect(face.lines.value.map(({ n }) => n)).toEqual(Array.from({ length: 27 }, (_, at) => at + 1));
  expect(face.atStart.value).toBe(true);
  face.older();
  expect(asked).toHaveLength(0);
  face.newer();
  answer(40);
  expect(face.lines.value).toHaveLength(40);
  expect(face.atEnd.value).toBe(true);
  face.newer();
  expect(asked).toHaveLength(0);
});

test("what is refused leaves it empty, and not loading", () => {
  const { face } = new Past(core, "a.b", 3);
  asked.shift()?.answered({ kind: "unknown" });
  expect([face.loading.value, face.lines.value.length]).toEqual([false, 0]);
});

test("it is bounded", () => {
  const { face } = new Past(core, "a.b", 90_000);
  answer(100_000);
  for (let turn = 0; turn < 100 && face.lines.value.length < PAST_MAX; turn += 1) {
    face.older();
    answer(100_000);
  }
  face.older();
  face.newer();
  expect(asked).toHaveLength(0);
});

test("what is deleted, edited or erased meanwhile does not go on being shown", () => {
  const past = new Past(core, "~c1", 10);
  answer(30);
  const texts = () => past.face.lines.value.map(({ n, text, state }) => [n, text, state]);
  past.event("~c1", { type: "deleted", n: 10, state: "deleted" } as unknown as EventMeta, {});
  past.event("~c1", { type: "edited", n: 11, state: "edited" } as unknown as EventMeta, { text: "better" });
  past.event("~c2", { type: "deleted", n: 12, state: "deleted" } as unknown as EventMeta, {});
  expect(texts().slice(9, 12)).toEqual([[10, "", "deleted"], [11, "better", "edited"], [12, "text 12", ""]]);
  past.event("~c1", { type: "purged", n: 12 } as unknown as EventMeta, null);
  expect(texts()[0]).toEqual([13, "text 13", ""]);
});
