import { describe, expect, test } from "vitest";
import { History } from "./fuzz";

const SEEDS = 320;
const STEPS = 120;

describe("the client against a plain model", () => {
  test(`agrees in ${SEEDS} random histories`, async () => {
    for (let seed = 1; seed <= SEEDS; seed++) {
      try {
        await new History(seed).run(STEPS);
      } catch (error) {
        throw new Error(`seed ${seed}: ${String((error as Error).message)}`, { cause: error });
      }
    }
    expect(true).toBe(true);
  }, 120_000);
});
