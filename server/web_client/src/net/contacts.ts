/** Asking whose numbers are whose. */
import type { ContactName } from "../contract";
import { call } from "./session";

const BAD_REQUEST = 400;

/** Of at most 100 numbers those that are somebody's; null: one of them is no number. Rejects when the server cannot be asked. */
export async function lookup(numbers: readonly string[]): Promise<Readonly<Record<string, ContactName>> | null> {
  const response = await call("GET", `/v1/contacts/lookup?numbers=${encodeURIComponent(numbers.join(","))}`);
  if (response.status === BAD_REQUEST) return null;
  if (!response.ok) throw new Error(`${response.status}`);
  return ((await response.json()) as { numbers: Record<string, ContactName> }).numbers;
}
