/** What is typed for a contact, and sentences about imports. */
import type { ContactFields, ImportEnd } from "./contacts_api";
import { toE164 } from "./e164";

const NUMBER = /^\+[1-9]\d{4,14}$/;
const NUMBERS_MAX = 20;

/** Numbers that stand in lines, or with commas between, each once. */
export const numbersIn = (text: string): string[] => [...new Set(text.split(/[\n,;]/).map((part) => toE164(part)).filter(Boolean))];

/** Why it cannot be saved; "" when it can. */
export function fieldsProblem({ name, numbers }: ContactFields): string {
  if (!name) return "Write a name.";
  const wrong = numbers.find((number) => !NUMBER.test(number));
  if (wrong) return `${wrong} is not a number with its country code, like +1 416 555 0142.`;
  return numbers.length > NUMBERS_MAX ? `A contact has ${NUMBERS_MAX} numbers at most.` : "";
}

const counted = (count: number, one: string, many: string): string => `${count.toLocaleString("en")} ${count === 1 ? one : many}`;

/** "3 new, 1 changed, 20 as they were, 2 lines with errors" */
export function importWords({ created, updated, unchanged, error }: ImportEnd): string {
  const parts = [
    created ? `${created.toLocaleString("en")} new` : "",
    updated ? `${updated.toLocaleString("en")} changed` : "",
    unchanged ? `${unchanged.toLocaleString("en")} as they were` : "",
    error ? counted(error, "line with an error", "lines with errors") : "",
  ];
  return parts.filter(Boolean).join(", ") || "The file has no contacts";
}
