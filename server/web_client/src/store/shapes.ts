/** Maps inside frames, as far as this client reads them beyond `wire.ts`. */
import type { Body as WireBody, Meta, Row } from "../wire";

export type { Before, Counts, Marks as MarksFrame } from "../wire";

/** `meta` of EV; `fresh`: a member joined who was none. */
export interface EventMeta extends Meta {
  fresh?: boolean;
}

/** A line's content; of a room's changes its name, or whether it is archived now. */
export interface Body extends WireBody {
  name?: string;
  archived?: boolean;
}

/** OK of a command. */
export interface Ack {
  readonly conv: string;
  readonly seq: number;
  readonly tip?: string;
  readonly own_tok: string;
  readonly att: string;
  readonly n?: number;
  readonly noop?: boolean;
  /** It was given to somebody who is away or offline. */
  readonly warnings?: readonly ("away" | "offline")[];
}

/** OK of PAGE. */
export interface PageAnswer {
  readonly rows: readonly Row[];
  readonly next: string | null;
  readonly seq: number;
  readonly tip: string;
}
