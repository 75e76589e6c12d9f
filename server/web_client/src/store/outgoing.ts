/** Frames on their way out: gathered while something changes, sent in one go. */
import type { Environment } from "./environment";
import type { Requests } from "./requests";

interface Line {
  readonly live: boolean;
  send(frames: readonly (readonly unknown[])[]): void;
}

export class Outgoing {
  private frames: (readonly unknown[])[] = [];
  private cancelDue: () => void = () => undefined;

  constructor(
    private readonly requests: Requests,
    private readonly env: Pick<Environment, "nowMs" | "later">,
    private readonly line: () => Line,
    /** A request falls due: `flush` has to be called. */
    private readonly due: () => void,
  ) {}

  /** False when there is no connection: it is not kept. */
  tell(frame: readonly unknown[]): boolean {
    if (!this.line().live) return false;
    this.frames.push(frame);
    return true;
  }

  flush(): void {
    const { frames } = this;
    this.frames = [];
    const line = this.line();
    if (!line.live) return;
    const nowMs = this.env.nowMs();
    line.send([...frames, ...this.requests.due(nowMs)]);
    this.cancelDue();
    const next = this.requests.nextDueMs();
    if (next !== Infinity && next > nowMs) this.cancelDue = this.env.later(next - nowMs, this.due);
  }

  close(): void {
    this.cancelDue();
  }
}
