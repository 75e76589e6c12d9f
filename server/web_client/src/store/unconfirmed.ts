/** What stands of my acts over what the server has confirmed, for who shows it: see PendingActs. */
import type { Verb } from "../contract";
import type { Row } from "../wire";
import type { EventMeta } from "./shapes";

export interface Unconfirmed {
  readonly size: number;
  conversations(): Iterable<string>;
  has(conv: string): boolean;
  /** The newest act that shows on this row; "" for none. */
  verb(row: Row): Verb | "";
  /** The confirmed row with my acts laid over it. */
  over(row: Row): Row;
  /** An event of this conversation has been applied. */
  event(conv: string, seq: number, meta: EventMeta): void;
  /** Events of the inbox are applied up to `seq`; returns the conversations that may look different. */
  reached(inbox: string, seq: number): string[];
  /** A row as of `rev` is known by another way than its event. */
  row(conv: string, rev: number): void;
}

/** Until there is something to act with: the first paint does without. */
export const NOTHING_DONE: Unconfirmed = {
  size: 0,
  conversations: () => [],
  has: () => false,
  verb: () => "",
  over: (row) => row,
  event: () => undefined,
  reached: () => [],
  row: () => undefined,
};
