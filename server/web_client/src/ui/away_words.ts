/** Sentences about who is away, and what came of it. */
import type { Presence } from "../contract";

/** To whom is away. */
export const awayWords = (release: boolean): string =>
  release ? "You are away. Customers' next messages go back to the inbox." : "You are away. Customers' messages wait for you.";

/** "Transferred to Bo, who is away." */
export const handedWords = (did: string, name: string, warned: "" | Presence): string => `${did} to ${name}${warned ? `, who is ${warned}` : ""}.`;

/** To whom a conversation was taken from by no one; `customer` is whom it is with. */
export function releasedWords(why: string, customer: string): string {
  const went = `the conversation with ${customer} went back to the inbox`;
  if (why === "silent") return `Nobody answered for too long: ${went}.`;
  if (why === "woken") return `You were away when it was due: ${went}.`;
  return `${why === "away" ? "You are away" : "You were offline"}: ${went}.`;
}

/** What takes a conversation from its owner though nobody does. */
export const RULES: ReadonlySet<string> = new Set(["away", "offline", "silent", "woken"]);

/** Why it went back to the inbox; the owner as who does something, and as whom it is done to: "" for one not known. */
export function returnedWords(why: string, who: string, whom: string): string {
  const was = who === "You" ? "You were" : `${who || "Its owner"} was`;
  if (why === "silent") return `No answer from ${whom || "its owner"}: returned to the inbox`;
  if (why === "woken") return `${was} away when it was due: returned to the inbox`;
  return `${was} ${why}: returned to the inbox`;
}

function listed(names: readonly string[]): string {
  const last = names.at(-1) ?? "";
  return names.length > 1 ? `${names.slice(0, -1).join(", ")} and ${last}` : last;
}

/** "Bo is typing…", "Ana and Bo are typing…"; "" for nobody. */
export const typingWords = (names: readonly string[]): string => (names.length ? `${listed(names)} ${names.length > 1 ? "are" : "is"} typing…` : "");
