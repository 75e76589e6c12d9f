/** The live view's figures in words. */
import { waiting } from "../format";

export interface LiveNode {
  readonly id: string;
  readonly build: string;
  readonly connections: number;
  readonly events_per_s: number;
  readonly up_s: number;
}

export interface LiveInbox {
  readonly id: string;
  readonly name: string;
  readonly unassigned: number;
  readonly assigned: number;
  readonly oldest_waiting_at: string | null;
  readonly viewers: number;
}

export interface LivePerson {
  readonly user: string;
  readonly connections: number;
  readonly assigned: number;
}

export interface Live {
  readonly at: string;
  readonly connections: number;
  readonly events_per_s: number;
  readonly unassigned: number;
  readonly assigned: number;
  readonly oldest_waiting_at: string | null;
  readonly nodes: readonly LiveNode[];
  readonly inboxes: readonly LiveInbox[];
  readonly people: readonly LivePerson[];
}

/** "0", "0.4", "12": one decimal only where it says something. */
export function rate(perSecond: number): string {
  if (perSecond >= 9.95) return String(Math.round(perSecond));
  const tenths = Math.round(perSecond * 10) / 10;
  return Number.isInteger(tenths) ? String(tenths) : tenths.toFixed(1);
}

/** How long since, by the server's own clock; "" for nobody waits. */
export function waitsFor(since: string | null, at: string): string {
  if (since === null) return "";
  return waiting(Date.parse(since), Date.parse(at)) || "under 1 min";
}

/** "41 clients · 12 ev/s · unassigned 12, oldest 42 min" */
export function totalsLine(live: Live): string {
  const oldest = waitsFor(live.oldest_waiting_at, live.at);
  const clients = live.connections === 1 ? "1 client" : `${live.connections} clients`;
  return `${clients} · ${rate(live.events_per_s)} ev/s · unassigned ${live.unassigned}${oldest ? `, oldest ${oldest}` : ""}`;
}

/** "3 d 4 h", "12 min", "8 s": the two largest units, and no more. */
export function duration(seconds: number): string {
  const whole = Math.max(0, Math.floor(seconds));
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min`;
  const hours = Math.floor(whole / 3600);
  if (hours < 24) return `${hours} h ${Math.floor((whole % 3600) / 60)} min`;
  return `${Math.floor(hours / 24)} d ${hours % 24} h`;
}

/** Whoever has the most first, then by name. */
export function busiest<T>(all: readonly T[], load: (one: T) => number, name: (one: T) => string): readonly T[] {
  return [...all].sort((a, b) => load(b) - load(a) || name(a).localeCompare(name(b)));
}
