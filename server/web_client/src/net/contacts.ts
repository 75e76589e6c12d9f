/** Asking whose numbers are whose. */
import type { ContactName } from "../contract";
import { call } from "./session";

/** Of at most 100 numbers those that are somebody's; rejects when the server cannot be asked. */
export async function lookup(numbers: readonly string[]): Promise<Readonly<Record<string, ContactName>>> {
  const response = await call("GET", `/v1/contacts/lookup?numbers=${encodeURIComponent(numbers.join(","))}`);
  if (!response.ok) throw new Error(`${response.status}`);
  return ((await response.json()) as { numbers: Record<string, ContactName> }).numbers;
}
