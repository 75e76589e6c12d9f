/** What I did and the server has lost: noticed when a history ends, asked for where nobody tells. */
import { Op } from "../wire";
import type { Core } from "./core";
import type { Writes } from "./writes";

export class Losses {
  constructor(
    private readonly core: Core,
    private readonly writes: Writes,
  ) {}

  /** RESET named these command ids of mine. */
  named(log: string, lost: readonly string[]): void {
    this.writes.lost(log, lost);
    this.tell(log, lost.length);
  }

  /** Whoever was away when history split is told nothing: ask for what was acknowledged. */
  check(log: string): void {
    const positions = this.writes.positions(log);
    if (positions.length === 0) return;
    this.core.out.ask(Op.CHECK, [log, positions], (answer) => {
      if (answer.kind !== "ok") return;
      const { missing } = answer.result as { missing: [number, string][] };
      this.tell(log, this.writes.missing(log, missing));
    });
  }

  private tell(log: string, count: number): void {
    if (count > 0) this.core.notice({ kind: "writes_lost", inbox: log, count });
  }
}
