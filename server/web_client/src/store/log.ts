/** One log, an inbox's or a room's: its position, and what answers said ahead of its events. */
import type { Row } from "../wire";
import { Sequence } from "./sequence";
import type { EventMeta } from "./shapes";

/** What an answer said ahead of the events: a row, or that a command took effect at this tip. */
export type Ahead =
  | { readonly rev: number; readonly row: Row }
  | { readonly rev: number; readonly tip: string };

function confirms(said: Ahead, tip: string, row: Row | undefined): boolean {
  if ("tip" in said) return said.tip === tip;
  const { n, last_ms, own_tok, att } = said.row;
  const same = row?.n === n && row.last_ms === last_ms;
  return same && row.own_tok === own_tok && row.att === att;
}

export class LogState {
  readonly sequence = new Sequence();
  /** Subscribed. */
  followed = false;
  /** Moves whenever what was asked before does not count any more. */
  generation = 0;
  /** The position of the last snapshot: events are known from there on. */
  since = -1;
  /** A snapshot is on the screen. */
  snapped = false;
  private readonly ahead = new Map<string, Ahead>();
  private aheadAt = -1;
  private held: { readonly seq: number; readonly run: () => void }[] = [];

  constructor(readonly id: string) {}

  /** An answer says what a conversation is as of `rev`; the log has to say the same. */
  known(conv: string, said: Ahead): void {
    if (this.sequence.position === null || said.rev <= this.sequence.seq) return;
    if (said.rev > (this.ahead.get(conv)?.rev ?? 0)) this.ahead.set(conv, said);
  }

  aheadOf(): string[] {
    return [...this.ahead.keys()];
  }

  /** Called every few seconds while connected: whether answers have been ahead of the events all along. */
  stuck(): boolean {
    const { seq } = this.sequence;
    const ahead = this.ahead.size > 0 || this.held.length > 0;
    const stuck = ahead && this.aheadAt === seq;
    this.aheadAt = ahead ? seq : -1;
    return stuck;
  }

  /**
   * Event `seq` has been applied; false when a row that came ahead of it is not what the log says:
   * it was read from a history that was lost, and nothing can be trusted.
   */
  passed(seq: number, tip: string, meta: EventMeta): boolean {
    if (this.ahead.size === 0) return true;
    let agrees = true;
    for (const [conv, said] of this.ahead) {
      if (said.rev > seq) continue;
      this.ahead.delete(conv);
      agrees &&= said.rev === seq && meta.conv === conv && confirms(said, tip, meta.row);
    }
    return agrees;
  }

  /** Everything asked so far is void. */
  invalidate(): void {
    this.generation++;
    this.held = [];
    this.ahead.clear();
  }

  /** Run once events have been applied up to `seq`. */
  when(seq: number, run: () => void): void {
    if (seq <= this.sequence.seq) run();
    else this.held.push({ seq, run });
  }

  /** Run what has become due. */
  release(): void {
    if (this.held.length === 0) return;
    const due = this.held.filter((one) => one.seq <= this.sequence.seq);
    if (due.length === 0) return;
    this.held = this.held.filter((one) => one.seq > this.sequence.seq);
    for (const one of due) one.run();
  }
}
