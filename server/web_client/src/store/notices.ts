/** What an event means to a person. */
import type { Notice } from "../contract";
import type { EventMeta } from "./shapes";

/** A customer's message older than this rings no bell: it was missed while away. */
const FRESH_MS = 60_000;

/** What takes a conversation from its owner though nobody does. */
const RELEASES: ReadonlySet<string> = new Set(["away", "offline", "silent", "woken"]);

/** Keywords: the customer is answered automatically, and nobody has to do anything. */
const KEYWORDS: ReadonlySet<string> = new Set(["opt_out", "opt_in"]);

/** Notices of an event, for somebody who joined its inbox. */
export function noticesOf(
  meta: EventMeta,
  me: string,
  nowMs: number,
  draftKept: (conv: string) => boolean,
): Notice[] {
  const { conv, row, before, actor = "" } = meta;
  if (conv === undefined || row === undefined || me === "") return [];
  const found: Notice[] = [];
  const was = before?.assignee ?? "";
  const why = meta.reason ?? "";
  const handed = actor !== me && row.assignee === me && was !== me;
  const rings = meta.type === "received" && !handed && !KEYWORDS.has(why);
  if (rings && nowMs - row.last_ms < FRESH_MS) {
    const mine = row.assignee === me;
    if (mine || row.status === "unassigned") found.push({ kind: "inbound", conv, mine });
  }
  if (actor === me) return found;
  if (handed) found.push({ kind: "handed_to_me", conv, by: actor });
  if (meta.type === "woken" && why === "due" && row.assignee === me) found.push({ kind: "woken", conv });
  if (was === me && row.assignee !== me) {
    if (actor === "" && RELEASES.has(why)) return [{ kind: "released", conv, why }];
    const kept = draftKept(conv);
    found.push({ kind: "moved_away", conv, by: actor, to: row.assignee, draftKept: kept });
  }
  if (meta.mentions?.includes(me)) found.push({ kind: "mention", conv, by: actor, ...(meta.n ? { n: meta.n } : {}) });
  return found;
}
