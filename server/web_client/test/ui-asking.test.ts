import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Problem } from "../src/ui/admin/api";
import { untilAnswered } from "../src/ui/asking";

let refusals: unknown[] = [];
let asked = 0;
const answers: string[] = [];
const ask = (): Promise<string> => {
  asked += 1;
  const refusal = refusals.shift();
  return refusal === undefined ? Promise.resolve(`answer ${asked}`) : Promise.reject(refusal as Error);
};
const start = (...refused: unknown[]): (() => void) => {
  refusals = refused;
  return untilAnswered(ask, (found) => void answers.push(found));
};

beforeEach(() => {
  vi.useFakeTimers();
  asked = answers.length = 0;
});
afterEach(() => void vi.useRealTimers());

test("what is answered is asked once", async () => {
  start();
  await vi.advanceTimersByTimeAsync(600_000);
  expect(answers).toEqual(["answer 1"]);
  expect(asked).toBe(1);
});

test("while the server cannot, it is asked further and further apart", async () => {
  start(...["unavailable", "offline", "internal", "rate_limited"].map((code) => new Problem(code, "Not now.")));
  await vi.advanceTimersByTimeAsync(999);
  expect(asked).toBe(1);
  await vi.advanceTimersByTimeAsync(1);
  expect(asked).toBe(2);
  await vi.advanceTimersByTimeAsync(2_000 + 4_000);
  expect(answers).toEqual([]);
  await vi.advanceTimersByTimeAsync(8_000);
  expect(answers).toEqual(["answer 5"]);
});

test("it does not give up", async () => {
  start(...Array.from({ length: 30 }, () => new Problem("unavailable", "Not now.")));
  await vi.advanceTimersByTimeAsync(31 * 60_000);
  expect(answers).toEqual(["answer 31"]);
});

test("what is refused for good is not asked again", async () => {
  start(new Problem("forbidden", "No."));
  await vi.advanceTimersByTimeAsync(600_000);
  expect(asked).toBe(1);
});

test("who no longer needs it is told nothing, and asks nothing", async () => {
  start()();
  start(new Problem("unavailable", "Not now."))();
  const stop = start(new Problem("unavailable", "Not now."));
  await vi.advanceTimersByTimeAsync(500);
  stop();
  await vi.advanceTimersByTimeAsync(600_000);
  expect(answers).toEqual([]);
  expect(asked).toBe(3);
});
