/** The position of one inbox's log, and what an arriving event means for it. */

export interface Position {
  readonly epoch: string;
  readonly seq: number;
  /** A hash of everything up to `seq`; opaque. */
  readonly tip: string;
}

export type Verdict = "apply" | "ignore" | "gap";

/**
 * While `position` is null nothing but a snapshot counts. After "gap" the caller has to subscribe
 * again without a position.
 */
export class Sequence {
  position: Position | null = null;

  /** Up to where events have been applied; -1 for nowhere. */
  get seq(): number {
    return this.position?.seq ?? -1;
  }

  /** An event arrived; "apply" has moved the position already. */
  event(seq: number, tip: string): Verdict {
    const have = this.position;
    if (have === null || seq <= have.seq) return "ignore";
    if (seq !== have.seq + 1) {
      this.position = null;
      return "gap";
    }
    this.position = { epoch: have.epoch, seq, tip };
    return "apply";
  }

  /** A snapshot arrived; false: an older answer, and what follows it is known already. */
  snapshot(position: Position): boolean {
    const have = this.position;
    if (have !== null && have.epoch === position.epoch && position.seq < have.seq) return false;
    this.position = position;
    return true;
  }

  /** The history up to here is void. */
  reset(): void {
    this.position = null;
  }
}
