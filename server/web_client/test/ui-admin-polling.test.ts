import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { pollWhileVisible } from "../src/ui/admin/polling";
import { visible } from "../src/ui/screen";

let asked: (() => void)[] = [];
const ask = (): Promise<void> => new Promise((resolve) => asked.push(resolve));
const answer = async (): Promise<void> => {
  asked.at(-1)?.();
  await vi.advanceTimersByTimeAsync(0);
};

beforeEach(() => {
  vi.useFakeTimers();
  visible.value = true;
  asked = [];
});
afterEach(() => {
  vi.useRealTimers();
});

test("asks at once, and again only after the answer", async () => {
  const stop = pollWhileVisible(2000, ask);
  expect(asked).toHaveLength(1);
  await vi.advanceTimersByTimeAsync(10_000);
  expect(asked).toHaveLength(1);
  await answer();
  await vi.advanceTimersByTimeAsync(1999);
  expect(asked).toHaveLength(1);
  await vi.advanceTimersByTimeAsync(1);
  expect(asked).toHaveLength(2);
  stop();
});

test("rests while hidden, and asks at once when seen again", async () => {
  const stop = pollWhileVisible(2000, ask);
  await answer();
  visible.value = false;
  await vi.advanceTimersByTimeAsync(60_000);
  expect(asked).toHaveLength(1);
  visible.value = true;
  expect(asked).toHaveLength(2);
  visible.value = false;
  visible.value = true;
  expect(asked).toHaveLength(2); // the one before has not been answered
  await answer();
  await vi.advanceTimersByTimeAsync(2000);
  expect(asked).toHaveLength(3);
  stop();
});

test("stops for good", async () => {
  const stop = pollWhileVisible(2000, ask);
  stop();
  await answer();
  await vi.advanceTimersByTimeAsync(60_000);
  visible.value = false;
  visible.value = true;
  expect(asked).toHaveLength(1);
});
