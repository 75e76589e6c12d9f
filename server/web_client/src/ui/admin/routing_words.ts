/** Where numbers deliver, in words. */
import { toE164 } from "../e164";
import { phoneNumber } from "../format";
import type { Rules } from "./rules_words";

export type Destination = "department" | "ring_group" | "welcome_menu";

export interface AdminInbox {
  readonly id: string;
  readonly name: string;
  readonly kind: Destination;
  /** "" or up to ten digits. */
  readonly extension: string;
  /** Whether members see it: from its first number with messaging on. */
  readonly live: boolean;
  /** Those that deliver here. */
  readonly numbers: readonly string[];
  readonly members: readonly string[];
  readonly options: Rules;
}

export interface PhoneNumber {
  readonly number: string;
  readonly carrier: string;
  readonly messaging: boolean;
  readonly inbox: string | null;
  /** Messages to it that no inbox has. */
  readonly kept: number;
}

/** A message that no inbox has. */
export interface Kept {
  readonly id: string;
  readonly from: string;
  readonly to: string;
  readonly text: string;
  readonly media: readonly string[];
  readonly at: string | null;
  readonly reason: string;
}

export interface Step {
  readonly step: string;
  readonly state: "ok" | "failed" | "warning" | "skipped";
  readonly says: string;
  /** What to do about it, "" for nothing. */
  readonly remedy: string;
}

export interface Checked {
  readonly number: string;
  readonly ok: boolean;
  readonly stopped_at: string | null;
  /** The test message's conversation. */
  readonly conv: string | null;
  readonly steps: readonly Step[];
}

export const KINDS: readonly (readonly [Destination, string])[] = [
  ["department", "Department"],
  ["ring_group", "Ring Group"],
  ["welcome_menu", "Welcome Menu"],
];

export const kindName = (kind: Destination): string => KINDS.find(([id]) => id === kind)?.[1] ?? kind;

/** "Department, extension 100" */
export const kindWords = ({ kind, extension }: Pick<AdminInbox, "kind" | "extension">): string =>
  extension ? `${kindName(kind)}, extension ${extension}` : kindName(kind);

/** Why an inbox cannot be kept like this; "" when it can. */
export function inboxProblem(name: string, extension: string): string {
  if (!name.trim()) return "Give the inbox a name: it is what its members see.";
  return /^\d{0,10}$/.test(extension.trim()) ? "" : "An extension is up to ten digits. Leave it empty if there is none.";
}

export function numberProblem(typed: string): string {
  return /^\+[1-9]\d{4,14}$/.test(toE164(typed)) ? "" : "Write the number with its country code, like +1 416 555 0100.";
}

interface Typed {
  readonly name: string;
  readonly kind: Destination;
  readonly extension: string;
  readonly members: readonly string[];
}

const sameSet = (a: readonly string[], b: readonly string[]): boolean => a.length === b.length && a.every((one) => b.includes(one));

/** Only what was changed here: another admin's change of the rest stays. */
export function inboxChange(before: AdminInbox, after: Typed): Partial<Typed> {
  return {
    ...(after.name === before.name ? {} : { name: after.name }),
    ...(after.kind === before.kind ? {} : { kind: after.kind }),
    ...(after.extension === before.extension ? {} : { extension: after.extension }),
    ...(sameSet(after.members, before.members) ? {} : { members: after.members }),
  };
}

const REASONS: Readonly<Record<string, string>> = {
  "unknown number": "Was not one of your numbers",
  "not assigned": "The number delivered nowhere",
  "messaging off": "Messaging was off",
  "no phone number": "Came from no phone number: nobody could answer",
  refused: "Its inbox was being changed",
};

export const reasonWords = (reason: string): string => REASONS[reason] ?? reason;

/** "1 message", "12 messages" */
export const messagesWords = (count: number): string => (count === 1 ? "1 message" : `${count} messages`);

export function keptText({ text, media }: Pick<Kept, "text" | "media">): string {
  const files = media.length === 1 ? "1 attachment" : media.length ? `${media.length} attachments` : "";
  return [text, files].filter(Boolean).join(" · ") || "An empty message";
}

export interface KeptGroup {
  readonly number: string;
  /** Newest first. */
  readonly messages: readonly Kept[];
}

/** By number, the number with the newest message first; `all` comes newest first. */
export function byNumber(all: readonly Kept[]): readonly KeptGroup[] {
  const found = new Map<string, Kept[]>();
  for (const one of all) {
    const group = found.get(one.to);
    if (group) group.push(one);
    else found.set(one.to, [one]);
  }
  return [...found].map(([number, messages]) => ({ number, messages }));
}

/** Where a number delivers now, as is said after a change; `waiting` messages are kept for it. */
export function deliversWords({ number, messaging }: Pick<PhoneNumber, "number" | "messaging">, inbox: string | undefined, waiting: number): string {
  const name = phoneNumber(number);
  if (!inbox) return `${name} delivers nowhere.`;
  if (!messaging) return `${name} delivers to ${inbox} once messaging is on.`;
  return waiting ? `${name} delivers to ${inbox}. ${messagesWords(waiting)} from before can be routed, too.` : `${name} delivers to ${inbox}.`;
}

/** What routing has brought about. */
export function routedWords(number: string, inbox: string, delivered: number, left: number): string {
  const said = `${messagesWords(delivered)} to ${phoneNumber(number)} delivered to ${inbox}.`;
  return left ? `${said} ${messagesWords(left)} left: route it again.` : said;
}

const STEPS: Readonly<Record<string, string>> = {
  known: "Number",
  messaging: "Messaging",
  carrier: "Carrier",
  assigned: "Assignment",
  inbox: "Inbox",
  engine: "Engine",
  members: "Members",
  intake: "Intake",
  stored: "Stored",
  shown: "Shown live",
};

export const stepWords = (step: string): string => STEPS[step] ?? step;

export const STATES: Readonly<Record<Step["state"], string>> = { ok: "OK", failed: "Stops here", warning: "Look at this", skipped: "Not looked at" };

/** The outcome in a sentence. */
export function checkedWords(checked: Checked): string {
  const number = phoneNumber(checked.number);
  if (checked.stopped_at) return `Messages to ${number} stop at “${stepWords(checked.stopped_at)}”.`;
  if (!checked.ok) return `Messages to ${number} do not appear.`;
  const doubt = checked.steps.some(({ state }) => state === "warning") ? " There is something to look at, though." : "";
  return checked.conv ? `A test message to ${number} arrived.${doubt}` : `Nothing is in the way of messages to ${number}.${doubt}`;
}
