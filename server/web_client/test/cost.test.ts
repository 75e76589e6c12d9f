import { expect, test } from "vitest";
import { Stream } from "./stream";

const EVENTS = 1000;
const ROUNDS = 15;

declare const process: { cpuUsage(since?: object): { readonly user: number; readonly system: number } };

/** µs of this process's work per event, in the median round: so that a busy machine does not decide. */
async function cost(conversations: number, perMessage: number): Promise<number> {
  const stream = await Stream.open(conversations);
  const rounds: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const events = stream.events(EVENTS);
    const start = process.cpuUsage();
    stream.apply(events, perMessage);
    const { user, system } = process.cpuUsage(start);
    rounds.push((user + system) / EVENTS);
  }
  return rounds.sort((a, b) => a - b)[ROUNDS >> 1] as number;
}

test("an event costs little, whatever the total", async () => {
  const small = await cost(1000, 1);
  const large = await cost(100_000, 1);
  // The figure is 10 µs; five times that leaves room for a machine that does other things.
  expect(large).toBeLessThan(50);
  expect(large).toBeLessThan(small * 5 + 10);
}, 30_000);
