/** When to try again: full jitter, and what each close code asks for. */
import { CLOSE_RANGES, Close } from "../wire";

const BASE_MS = 200;
const CAP_MS = 20_000;

/**
 * The n-th wait is uniform in 0..min(cap, base * 2^n); tries never end. `spreadMs`: over how long the
 * server wants its clients to spread.
 */
export function delayMs(failures: number, draw: number, spreadMs = 0): number {
  return draw * Math.min(CAP_MS, Math.max(spreadMs, BASE_MS * 2 ** Math.min(failures, 20)));
}

export type Next = "resume" | "reauthorize" | "stop";

const BY_RANGE: readonly Next[] = ["resume", "reauthorize", "stop"];

/** The range of a close code decides; everything outside the ranges is a broken link. */
export function afterClose(code: number): Next {
  if (code === Close.UNAUTHORIZED) return "reauthorize";
  const at = CLOSE_RANGES.findIndex(([low, high]) => code >= low && code <= high);
  return BY_RANGE[at] ?? "resume";
}

/** A rate-limited client starts further up the ladder. */
export function leastFailures(code: number): number {
  return code === Close.RATE ? 4 : 0;
}
