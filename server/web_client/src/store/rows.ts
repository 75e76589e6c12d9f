/** The newest row known of each conversation: absolute registers, bounded. */
import type { Row } from "../wire";


/** A conversation's id begins with its inbox's. */
export function inboxOf(conv: string): string {
  const dot = conv.indexOf(".");
  return dot < 0 ? conv : conv.slice(0, dot);
}

/**
 * Rows compare by `rev`, within one lineage of their inbox only: `forget` the inbox at a reset.
 * What was evicted leaves its highest `rev` behind, so that an answer from before does not bring
 * it back as it was.
 */
export class Rows {
  private readonly rows = new Map<string, Row>();
  private readonly evicted = new Map<string, number>();

  private readonly slack: number;

  constructor(private readonly max: number) {
    this.slack = max >> 5;
  }

  get size(): number {
    return this.rows.size;
  }

  get(conv: string): Row | undefined {
    return this.rows.get(conv);
  }

  /** The highest `rev` of an evicted row of the inbox: answers as of before are not to be trusted. */
  evictedRev(inbox: string): number {
    return this.evicted.get(inbox) ?? -1;
  }

  /** Whether an answer as of `asOf` may describe this conversation. */
  trusts(conv: string, asOf: number): boolean {
    return this.rows.has(conv) || asOf >= this.evictedRev(inboxOf(conv));
  }

  /** Take in a row as of position `asOf`; false when it says nothing new. An event's row (`log`)
   * replaces one of the same revision: an answer read before a failover may have been of another
   * history.
   */
  put(row: Row, asOf: number, log = false): boolean {
    const known = this.rows.get(row.id);
    if (known === undefined) {
      if (!log && !this.trusts(row.id, asOf)) return false;
    } else if (known.rev > row.rev || (known.rev === row.rev && !log)) return false;
    if (known !== undefined) this.rows.delete(row.id);
    this.rows.set(row.id, row);
    return true;
  }

  /** The conversation is no more, as of position `asOf`: no older answer brings it back. */
  erase(conv: string, asOf: number): void {
    this.rows.delete(conv);
    const inbox = inboxOf(conv);
    this.evicted.set(inbox, Math.max(asOf, this.evictedRev(inbox)));
  }

  /** The conversations known of an inbox. */
  of(inbox: string): string[] {
    return [...this.rows.keys()].filter((conv) => inboxOf(conv) === inbox);
  }

  /** Drop every row of an inbox; returns which. */
  forget(inbox: string): string[] {
    const gone = this.of(inbox);
    for (const conv of gone) this.rows.delete(conv);
    this.evicted.delete(inbox);
    return gone;
  }

  /** Evict what changed longest ago and is not kept, down to the bound; returns which. */
  trim(keep: (row: Row) => boolean): string[] {
    if (this.rows.size <= this.max + this.slack) return [];
    const gone: string[] = [];
    let over = this.rows.size - this.max;
    for (const row of this.rows.values()) {
      if (over === 0) break;
      if (keep(row)) continue;
      gone.push(row.id);
      over--;
      const inbox = inboxOf(row.id);
      this.evicted.set(inbox, Math.max(row.rev, this.evictedRev(inbox)));
    }
    for (const conv of gone) this.rows.delete(conv);
    return gone;
  }

  /** Whether more is kept than the bound allows. */
  get over(): boolean {
    return this.rows.size > this.max + this.slack;
  }
}
