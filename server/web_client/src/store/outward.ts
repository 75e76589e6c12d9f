/** What the core of the store works within: bounds, and the way out. */
import type { Answer } from "./requests";

/** Bounds; tests make them small. */
export interface Sizes {
  /** Rows kept. */
  readonly rows: number;
  /** What a list loads by itself: what is seen without scrolling, and a little more. */
  readonly first: number;
  readonly page: number;
  /** The longest page a server gives. */
  readonly longest: number;
  /** My own list is read to its end, within this. */
  readonly mine: number;
}

export const SIZES: Sizes = { rows: 2000, first: 50, page: 50, longest: 200, mine: 1000 };

export interface Outward {
  /** A request; the answer is given inside a batch. False: too many wait already. */
  ask(
    op: number,
    rest: readonly unknown[],
    answered: (answer: Answer) => void,
    more?: { readonly verb?: string; readonly firstSentMs?: number | null },
  ): boolean;
  /** A frame without an answer, dropped when there is no connection. */
  tell(frame: readonly unknown[]): boolean;
  nowMs(): number;
  /** Run once, later; returns how to cancel. */
  later(ms: number, run: () => void): () => void;
  /** A step has ended: send what it asked for. */
  flush(): void;
}
