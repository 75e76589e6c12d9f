/**
 * Each mechanism taken out must be noticed by the fuzz: it guards what it says. Those that matter
 * once in hundreds of histories have a test of their own beside their module.
 */
import { afterEach, expect, test, vi } from "vitest";
import { Marks } from "../src/store/marks";
import { PendingActs } from "../src/store/pending";
import { Rows } from "../src/store/rows";
import { Sequence } from "../src/store/sequence";
import { ThreadModel } from "../src/store/thread";
import { Window } from "../src/store/window";
import { Requests } from "../src/store/requests";
import { History } from "./fuzz";

const SEEDS = 320;
const STEPS = 120;

afterEach(() => vi.restoreAllMocks());

/** The first seed whose history goes wrong, 0 if none does. */
async function noticed(): Promise<number> {
  for (let seed = 1; seed <= SEEDS; seed++) {
    try {
      await new History(seed).run(STEPS);
    } catch {
      return seed;
    }
  }
  return 0;
}

const mutations: [string, () => void][] = [
  [
    "an event over a hole is applied",
    () => {
      vi.spyOn(Sequence.prototype, "event").mockImplementation(function (this: Sequence, seq, tip) {
        const have = this.position;
        if (have === null || seq <= have.seq) return "ignore";
        this.position = { epoch: have.epoch, seq, tip };
        return "apply";
      });
    },
  ],
  [
    "an event is applied twice",
    () => {
      vi.spyOn(Sequence.prototype, "event").mockImplementation(function (this: Sequence, seq, tip) {
        const have = this.position;
        if (have === null) return "ignore";
        if (seq > have.seq + 1) {
          this.position = null;
          return "gap";
        }
        this.position = { epoch: have.epoch, seq, tip };
        return "apply";
      });
    },
  ],
  [
    "revisions are not compared",
    () => {
      vi.spyOn(Rows.prototype, "put").mockImplementation(function (this: Rows, row) {
        const { rows } = this as unknown as { rows: Map<string, unknown> };
        rows.delete(row.id);
        rows.set(row.id, row);
        return true;
      });
    },
  ],
  [
    "marks ahead of the events are not held",
    () => {
      const { marks } = Marks.prototype;
      vi.spyOn(Marks.prototype, "marks").mockImplementation(function (this: Marks, frame, applied) {
        return marks.call(this, { ...frame, seq: Math.min(frame.seq, applied) }, applied);
      });
    },
  ],
  [
    "an acknowledged act is dropped before its event",
    () => {
      vi.spyOn(PendingActs.prototype, "ack").mockImplementation(function (this: PendingActs) {});
    },
  ],
  [
    "a refused act stays",
    () => {
      vi.spyOn(PendingActs.prototype, "drop").mockImplementation(() => undefined);
    },
  ],
  [
    "a list is thought longer than it is loaded",
    () => {
      vi.spyOn(Window.prototype, "covers").mockReturnValue(true);
    },
  ],
  [
    "threads take a message they have",
    () => {
      vi.spyOn(ThreadModel.prototype, "highest", "get").mockReturnValue(0);
    },
  ],
  [
    "a request is forgotten with its connection",
    () => {
      vi.spyOn(Requests.prototype, "requeue").mockImplementation(() => undefined);
    },
  ],
];

test.each(mutations)("%s", async (_, mutate) => {
  mutate();
  expect(await noticed()).toBeGreaterThan(0);
}, 120_000);
