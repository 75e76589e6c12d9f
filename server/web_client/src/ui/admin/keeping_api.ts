/** How long messages are kept, what is held, and what the archive says, over HTTP. */
import { ask, items } from "./api";

export interface Rules {
  /** Days after which messages with customers, and those of rooms, are erased; 0: never. */
  readonly external_days: number;
  readonly internal_days: number;
}

export interface ArchiveReport {
  /** "ok", "none" where there is no archive, or why nothing is moved there. */
  readonly state: string;
  readonly kind: string;
  readonly messages: number;
  readonly conversations: number;
  readonly size_bytes: number;
  readonly waiting: number;
  readonly memory_used: number;
  /** 0: none. */
  readonly memory_bound: number;
}

export interface Hold {
  /** A conversation or a room. */
  readonly conv: string;
  readonly inbox: string;
  readonly reason: string;
  readonly by: string;
  readonly since_at: string | null;
}

const isRoom = (conv: string): boolean => conv.startsWith("~");

/** Where it is exported, and held. */
export const placeOf = (conv: string): string => `/v1/${isRoom(conv) ? "rooms" : "conversations"}/${encodeURIComponent(conv)}`;

export const rules = (): Promise<Rules> => ask<Rules>("GET", "/v1/retention");
export const setRules = (change: Rules): Promise<Rules> => ask("PUT", "/v1/retention", change);
export const holds = (): Promise<readonly Hold[]> => items<Hold>("/v1/holds");
export const hold = (conv: string, reason: string): Promise<unknown> => ask("POST", `${placeOf(conv)}/hold`, { on: true, reason });
export const release = (conv: string): Promise<unknown> => ask("POST", `${placeOf(conv)}/hold`, { on: false });

export const archive = (): Promise<ArchiveReport> => ask<ArchiveReport>("GET", "/v1/archive");
