/** Which of a customer's texts were words to the carriers: STOP and what takes it back. */
import type { Line } from "../contract";

const OUT = /^(stop|stopall|unsubscribe|cancel|end|quit|revoke|optout)$/i;
const IN = /^(start|yes|unstop)$/i;

/**
 * A remark for each line that opted out or in, by the line's key. A word that opts in means nothing
 * to who is in: without a STOP before it among these lines it is a text like any other.
 */
export function remarks(lines: readonly Line[]): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  let out = false;
  for (const { key, kind, text } of lines) {
    if (kind !== "received") continue;
    const word = text.trim();
    if (OUT.test(word)) found.set(key, `The customer opted out (${word.toUpperCase()}).`);
    else if (out && IN.test(word)) found.set(key, `The customer opted in again (${word.toUpperCase()}).`);
    else continue;
    out = OUT.test(word);
  }
  return found;
}
