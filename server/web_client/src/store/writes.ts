/** My acknowledged commands, remembered so that a loss can be noticed. */

const PER_INBOX = 64;

interface Write {
  readonly cid: string;
  readonly seq: number;
  readonly tip: string;
}

export class Writes {
  private readonly known = new Map<string, Write[]>();

  add(inbox: string, write: Write): void {
    const writes = this.known.get(inbox) ?? [];
    this.known.set(inbox, [...writes.slice(1 - PER_INBOX), write]);
  }

  /** What CHECK is to be asked. */
  positions(inbox: string): [number, string][] {
    return (this.known.get(inbox) ?? []).map((write) => [write.seq, write.tip]);
  }

  /** Take out those of these command ids; returns how many there were. */
  lost(inbox: string, cids: readonly string[]): number {
    return this.take(inbox, (write) => cids.includes(write.cid));
  }

  /** Take out those whose place in the log is not theirs any more. */
  missing(inbox: string, pairs: readonly (readonly [number, string])[]): number {
    const gone = new Set(pairs.map(([seq, tip]) => `${seq} ${tip}`));
    return this.take(inbox, (write) => gone.has(`${write.seq} ${write.tip}`));
  }

  private take(inbox: string, wanted: (write: Write) => boolean): number {
    const writes = this.known.get(inbox) ?? [];
    const left = writes.filter((write) => !wanted(write));
    this.known.set(inbox, left);
    return writes.length - left.length;
  }
}
