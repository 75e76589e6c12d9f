/** Search over HTTP. */
import { ask } from "./admin/api";

/** Why it was found: `marks` are [start, end) in code points of `excerpt`. */
interface FoundText {
  readonly excerpt: string;
  readonly marks: readonly (readonly [number, number])[];
}

export interface FoundRow {
  readonly id: string;
  readonly inbox: string;
  readonly customer: string;
  readonly status: string;
}

export interface FoundRoom {
  readonly id: string;
  readonly kind: "direct" | "public" | "private";
  readonly name: string;
  readonly people: readonly string[];
}

export interface FoundMessage extends FoundText {
  readonly conv: string;
  readonly n: number;
  readonly at_ms: number;
  readonly conversation: FoundRow | null;
  readonly room: FoundRoom | null;
}

export interface Index {
  readonly complete: boolean;
  readonly done: number;
  readonly total: number;
}

export interface Found {
  readonly messages: readonly FoundMessage[];
  readonly conversations: readonly (FoundText & { readonly conversation: FoundRow })[];
  readonly contacts: readonly (FoundText & { readonly contact: { readonly id: string; readonly name: string; readonly numbers: readonly string[] } })[];
  readonly channels: readonly (FoundText & { readonly id: string; readonly name: string; readonly member: boolean })[];
  readonly people: readonly (FoundText & { readonly id: string; readonly name: string })[];
  readonly next: string | null;
  readonly index: Index;
}

export const WORDS_MAX = 200;
/** So many of each kind come at first. */
export const FIRST = 10;

/** Everything I may see that has these words, the newest of each kind. */
export const search = (words: string, signal: AbortSignal): Promise<Found> => ask<Found>("GET", `/v1/search?${new URLSearchParams({ q: words })}`, undefined, signal);

/** More of the messages with these words, behind the cursor; "" begins at the newest. */
export const moreMessages = (words: string, after: string, signal: AbortSignal): Promise<Found> =>
  ask<Found>("GET", `/v1/search?${new URLSearchParams({ q: words, kinds: "messages", limit: "50", after })}`, undefined, signal);
