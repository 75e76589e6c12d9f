/** Until when somebody puts a conversation aside, by their own clock. */
import { clock, daysAgo } from "./format";

export interface SnoozeTime {
  readonly id: string;
  readonly label: string;
  readonly atMs: number;
}

/** As far ahead as the server lets somebody snooze. */
export const SNOOZE_MAX_MS = 366 * 86_400_000;

const EVENING_H = 18;
const MORNING_H = 9;
const HOUR_MS = 3_600_000;
const MONDAY = 1;

function at(nowMs: number, days: number, hour: number): number {
  const now = new Date(nowMs);
  return new Date(now.getFullYear(), now.getMonth(), now.getDate() + days, hour).getTime();
}

/** What is offered now, soonest first: this evening while it is an hour away, Monday while that is not tomorrow. */
export function snoozeTimes(nowMs: number): readonly SnoozeTime[] {
  const toMonday = (MONDAY + 7 - new Date(nowMs).getDay()) % 7 || 7;
  const evening = at(nowMs, 0, EVENING_H);
  const found: SnoozeTime[] = [{ id: "hour", label: "In 1 hour", atMs: nowMs + HOUR_MS }];
  if (evening - nowMs > HOUR_MS) found.push({ id: "evening", label: "This evening", atMs: evening });
  found.push({ id: "tomorrow", label: "Tomorrow", atMs: at(nowMs, 1, MORNING_H) });
  if (toMonday > 1) found.push({ id: "monday", label: "Monday", atMs: at(nowMs, toMonday, MORNING_H) });
  return found;
}

/** For a field of type datetime-local, whose value is local time. */
export function fieldValue(atMs: number): string {
  const local = new Date(atMs);
  return new Date(atMs - local.getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
}

/** Why this cannot be the time; "" when it can. */
export function timeProblem(value: string, nowMs: number): string {
  const atMs = new Date(value).getTime();
  if (!value || Number.isNaN(atMs)) return "Choose a date and a time.";
  if (atMs <= nowMs) return "That is in the past: choose a time to come.";
  return atMs - nowMs > SNOOZE_MAX_MS ? "That is more than a year away." : "";
}

const weekdayFormat = new Intl.DateTimeFormat("en-GB", { weekday: "short", hour: "2-digit", minute: "2-digit" });
const dayFormat = new Intl.DateTimeFormat("en-GB", { weekday: "short", day: "numeric", month: "short" });

/** Beside a choice within a week: "15:02", or "Mon 09:00" on another day. */
export const choiceWords = (atMs: number, nowMs: number): string => (daysAgo(atMs, nowMs) < 0 ? weekdayFormat.format(atMs) : clock(atMs));

/** For whenever it is read: "15:02" on the same day, else "Mon 30 Nov, 09:00". */
export const lastingWords = (atMs: number, sinceMs: number): string =>
  daysAgo(atMs, sinceMs) < 0 ? `${dayFormat.format(atMs)}, ${clock(atMs)}` : clock(atMs);

/** For now: "15:02" today, "tomorrow 09:00", "Mon 30 Nov, 09:00" */
export const momentWords = (atMs: number, nowMs: number): string =>
  daysAgo(atMs, nowMs) === -1 ? `tomorrow ${clock(atMs)}` : lastingWords(atMs, nowMs);
