/** Sentences about what is kept, and for how long. */
import { sizeWords } from "./export_words";
import type { ArchiveReport, Rules } from "./keeping_api";

const DAYS_MAX = 36_500;

/** "For ever", "1 day", "400 days" */
export const daysWords = (days: number): string => (days === 0 ? "For ever" : days === 1 ? "1 day" : `${days.toLocaleString("en")} days`);

/** A number of days as it was typed; "" and 0 are for ever, null is none. */
export function daysOf(typed: string): number | null {
  const text = typed.trim();
  if (!text) return 0;
  const days = /^\d{1,6}$/.test(text) ? Number(text) : NaN;
  return days <= DAYS_MAX ? days : null;
}

export const DAYS_WRONG = `Write a number of days up to ${DAYS_MAX.toLocaleString("en")}, or nothing for ever.`;

/** What the archive's state means; "ok", "none", else why nothing is moved. */
export function archiveWords(state: string): string {
  if (state === "ok") return "Old messages are moved to the archive as they should be, and read from there.";
  if (state === "none") return "There is no archive: every message stays in the engine's memory. An operator can set BATONBOX_ARCHIVE_URL to a PostgreSQL.";
  return `Nothing is moved to the archive at the moment: ${state}`;
}

const KINDS: Readonly<Record<string, string>> = { sqlite: "SQLite, beside the server", postgresql: "PostgreSQL" };

/** What there is to tell of an archive, [what, how much]. */
export function archiveFacts(report: ArchiveReport): readonly (readonly [string, string])[] {
  const { kind, messages, conversations, size_bytes, waiting, memory_used, memory_bound } = report;
  const memory: readonly [string, string] = ["Engine's memory", memory_bound ? `${sizeWords(memory_used)} of ${sizeWords(memory_bound)}` : `${sizeWords(memory_used)}, no bound`];
  if (report.state === "none") return [memory];
  return [
    ["Kept in", KINDS[kind] ?? kind],
    ["Messages", messages.toLocaleString("en")],
    ["Done conversations", conversations.toLocaleString("en")],
    ["Size", sizeWords(size_bytes)],
    ["Waiting to be moved", waiting.toLocaleString("en")],
    memory,
  ];
}

/** What changing the rules to these erases; "" where nothing more is erased than before. */
export function eraseWords(before: Rules, after: Rules): string {
  const shorter = (was: number, now: number): boolean => now > 0 && (was === 0 || now < was);
  const parts = [
    shorter(before.external_days, after.external_days) ? `messages with customers older than ${daysWords(after.external_days)}` : "",
    shorter(before.internal_days, after.internal_days) ? `messages in rooms older than ${daysWords(after.internal_days)}` : "",
  ].filter(Boolean);
  return parts.length ? `This erases ${parts.join(" and ")}, for everybody and for ever. What is held stays.` : "";
}
