/** Numbers and times as people read them. */

const TWO_DIGITS = /^(2[07]|3[0-469]|4[013-9]|5[1-8]|6[0-6]|8[1246]|9[0-58])/;

function countryCodeLength(digits: string): number {
  if (digits[0] === "1" || digits[0] === "7") return 1;
  return TWO_DIGITS.test(digits) ? 2 : 3;
}

/** In threes, the last group up to four: "20 7946 0018" is not worth a table of countries. */
function grouped(digits: string): string[] {
  const groups: string[] = [];
  let rest = digits;
  while (rest.length > 4) {
    groups.push(rest.slice(0, 3));
    rest = rest.slice(3);
  }
  if (rest) groups.push(rest);
  return groups;
}

/** "+14165550142" as "+1 416 555 0142"; what is no E.164 number stays as it is. */
export function phoneNumber(e164: string): string {
  if (!/^\+[1-9]\d{4,14}$/.test(e164)) return e164;
  const digits = e164.slice(1);
  const length = countryCodeLength(digits);
  return ["+" + digits.slice(0, length), ...grouped(digits.slice(length))].join(" ");
}

export function initials(name: string): string {
  const words = name.trim().split(/\s+/).filter(Boolean);
  const first = [...(words[0] ?? "?")];
  const last = words.length > 1 ? [...(words[words.length - 1] as string)][0] : first[1];
  return ((first[0] ?? "?") + (last ?? "")).toLocaleUpperCase();
}

/** "99+" from a hundred on. */
export const capped = (count: number): string => (count > 99 ? "99+" : String(count));

const timeFormat = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit" });
const dayFormat = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short" });
export const dayYearFormat = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", year: "numeric" });
const fullFormat = new Intl.DateTimeFormat("en-GB", { dateStyle: "full", timeStyle: "short" });

const DAY_MS = 86_400_000;

/** Local midnight of the day `atMs` lies in. */
export function dayOf(atMs: number): number {
  const day = new Date(atMs);
  return new Date(day.getFullYear(), day.getMonth(), day.getDate()).getTime();
}

/** Whole days between the two, by the calendar; 0 for today. */
export function daysAgo(atMs: number, nowMs: number): number {
  return Math.round((dayOf(nowMs) - dayOf(atMs)) / DAY_MS);
}

export const clock = (atMs: number): string => timeFormat.format(atMs);
export const fullTime = (atMs: number): string => fullFormat.format(atMs);

/** In a list: the time today, else the date. */
export function shortTime(atMs: number, nowMs: number): string {
  if (!atMs) return "";
  if (daysAgo(atMs, nowMs) <= 0) return clock(atMs);
  if (daysAgo(atMs, nowMs) === 1) return "Yesterday";
  const sameYear = new Date(atMs).getFullYear() === new Date(nowMs).getFullYear();
  return (sameYear ? dayFormat : dayYearFormat).format(atMs);
}

/** A moment to come: the time today, else the day and the time. */
export const untilTime = (atMs: number, nowMs: number): string => (daysAgo(atMs, nowMs) < 0 ? `${dayFormat.format(atMs)}, ${clock(atMs)}` : clock(atMs));

/** How long something has been waiting: "3 min", "2 h", "4 d"; "" below a minute. */
export function waiting(sinceMs: number, nowMs: number): string {
  const minutes = Math.floor((nowMs - sinceMs) / 60_000);
  if (!sinceMs || minutes < 1) return "";
  if (minutes < 60) return `${minutes} min`;
  if (minutes < 48 * 60) return `${Math.floor(minutes / 60)} h`;
  return `${Math.floor(minutes / 1440)} d`;
}
