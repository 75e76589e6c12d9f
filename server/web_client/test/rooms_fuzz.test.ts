/** The client's room against the model, over random histories; and what guards it, taken out. */
import { afterEach, expect, test, vi } from "vitest";
import { RoomFeed } from "../src/store/room_feed";
import { Rooms } from "../src/store/rooms";
import { lineOf, ThreadModel } from "../src/store/thread";
import { Sequence } from "../src/store/sequence";
import type { Message } from "../src/wire";
import { RoomHistory } from "./room_history";

const SEEDS = 200;
const MUTATED_SEEDS = 1200;

afterEach(() => vi.restoreAllMocks());

test(`agrees in ${SEEDS} random histories`, async () => {
  for (let seed = 1; seed <= SEEDS; seed++) {
    try {
      await new RoomHistory(seed).run();
    } catch (error) {
      throw new Error(`seed ${seed}: ${String((error as Error).message)}`, { cause: error });
    }
  }
}, 60_000);

/** A method that is private to its class, to be replaced. */
function replace(of: object, name: string, make: (was: (...words: never[]) => unknown) => (...words: never[]) => unknown): void {
  const methods = of as Record<string, (...words: never[]) => unknown>;
  const was = methods[name] as (...words: never[]) => unknown;
  vi.spyOn(methods, name).mockImplementation(make(was));
}

const mutations: [string, () => void][] = [
  [
    "an event over a hole is applied",
    () =>
      replace(Sequence.prototype, "event", () => function (this: Sequence, seq: number, tip: string) {
        const have = this.position;
        if (have === null || seq <= have.seq) return "ignore";
        this.position = { epoch: have.epoch, seq, tip };
        return "apply";
      }),
  ],
  [
    "an older page goes over an event",
    () =>
      replace(ThreadModel.prototype, "merged", () => (message: Message, asOf: number) => {
        const [, seq, , , , cid] = message;
        return { line: lineOf(message), cid, seq, stateSeq: asOf };
      }),
  ],
  [
    "a page from before the snapshot counts",
    () =>
      replace(RoomFeed.prototype, "snap", (was) => function (this: RoomFeed, log: { since: number }, frame: never) {
        was.call(this, log as never, frame);
        log.since = -1;
      }),
  ],
  [
    "a look stands though the server's word includes it",
    () =>
      replace(Rooms.prototype, "moved", (was) => function (this: Rooms, frame: never) {
        const { glances } = this as unknown as { glances: Map<string, number> };
        const before = [...glances];
        was.call(this, frame);
        for (const [room, posts] of before) glances.set(room, posts);
      }),
  ],
  ["my post stands beside what became of it", () => void vi.spyOn(ThreadModel.prototype, "unsay").mockImplementation(() => undefined)],
];

test.each(mutations)("%s: noticed", async (_, mutate) => {
  mutate();
  const wrong = async (): Promise<number> => {
    for (let seed = 1; seed <= MUTATED_SEEDS; seed++) {
      try {
        await new RoomHistory(seed).run();
      } catch {
        return seed;
      }
    }
    return 0;
  };
  const seed = await wrong();
  expect(seed).toBeGreaterThan(0);
}, 60_000);
