/** An inbox's rules in words: what follows from what its owners do not do. */

export type ReopenTo = "queue" | "last_assignee";

export interface Rules {
  readonly reopen_to: ReopenTo;
  /** Members too may assign what is unassigned to a colleague. */
  readonly members_may_dispatch: boolean;
  /** Minutes; 0 switches the rule off. */
  readonly silent_min: number;
  readonly offline_min: number;
  /** Automatic answers to keywords; "" is the default one. */
  readonly stop_text: string;
  readonly start_text: string;
  readonly help_text: string;
}

const MINUTES_MAX = 10_080;
export const TEXT_MAX = 320;

export const REOPENS: readonly (readonly [ReopenTo, string])[] = [
  ["queue", "To everybody, as unassigned"],
  ["last_assignee", "To who had it last, if they are available"],
];

export type Texts = Pick<Rules, "stop_text" | "start_text" | "help_text">;

export const TEXTS: readonly (readonly [keyof Texts, string, string])[] = [
  ["stop_text", "Answer to STOP", "That they get no more messages, and that START changes it."],
  ["start_text", "Answer to START", "That they get messages again."],
  ["help_text", "Answer to HELP", "Who you are, and how to reach you."],
];

/** Minutes as typed: whole, and within a week; null for anything else. */
export function minutes(typed: string): number | null {
  const value = typed.trim() === "" ? 0 : Number(typed);
  return Number.isInteger(value) && value >= 0 && value <= MINUTES_MAX ? value : null;
}

/** Why the rules cannot be kept like this; "" when they can. */
export function rulesProblem(silent: string, offline: string): string {
  return minutes(silent) === null || minutes(offline) === null ? "Minutes are whole numbers up to 10080, a week. 0 switches the rule off." : "";
}

/** What was changed here: another admin's change of the rest stays. */
export function rulesChange(before: Rules, after: Rules): Partial<Rules> {
  const names = Object.keys(after) as (keyof Rules)[];
  return Object.fromEntries(names.filter((name) => after[name] !== before[name]).map((name) => [name, after[name]]));
}
