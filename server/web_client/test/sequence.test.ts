import { expect, test } from "vitest";
import { Sequence } from "../src/store/sequence";

const at = (seq: number, epoch = "e") => ({ epoch, seq, tip: `t${seq}` });

test("without a position nothing but a snapshot counts", () => {
  const sequence = new Sequence();
  expect(sequence.event(1, "t1")).toBe("ignore");
  expect(sequence.snapshot(at(4))).toBe(true);
  expect(sequence.seq).toBe(4);
});

test("the next is applied, what is known is ignored, a hole is a gap", () => {
  const sequence = new Sequence();
  sequence.snapshot(at(4));
  expect(sequence.event(5, "t5")).toBe("apply");
  expect(sequence.event(5, "t5")).toBe("ignore");
  expect(sequence.event(3, "t3")).toBe("ignore");
  expect(sequence.position).toEqual(at(5));
  expect(sequence.event(7, "t7")).toBe("gap");
  expect(sequence.event(8, "t8")).toBe("ignore");
  expect(sequence.position).toBeNull();
});

test("an older snapshot of the same history is ignored, one of another epoch is not", () => {
  const sequence = new Sequence();
  sequence.snapshot(at(9));
  expect(sequence.snapshot(at(8))).toBe(false);
  expect(sequence.seq).toBe(9);
  expect(sequence.snapshot(at(2, "other"))).toBe(true);
  sequence.reset();
  expect(sequence.snapshot(at(1, "other"))).toBe(true);
});
