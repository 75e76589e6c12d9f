/** Days as a thread divides them. */
import { dayYearFormat, daysAgo } from "./format";

const longDayFormat = new Intl.DateTimeFormat("en-GB", { weekday: "long", day: "numeric", month: "long" });

/** A day divider. */
export function dayName(atMs: number, nowMs: number): string {
  const ago = daysAgo(atMs, nowMs);
  if (ago <= 0) return "Today";
  if (ago === 1) return "Yesterday";
  const sameYear = new Date(atMs).getFullYear() === new Date(nowMs).getFullYear();
  return sameYear ? longDayFormat.format(atMs) : dayYearFormat.format(atMs);
}
