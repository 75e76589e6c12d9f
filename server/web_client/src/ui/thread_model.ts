/** A thread's lines arranged for reading: days, groups of one author, system lines. */
import type { Line } from "../contract";
import { dayOf } from "./format";
import { remarks } from "./keywords";
import { isSystem } from "./thread_words";

export type Side = "customer" | "team" | "note";

export type Item =
  | { readonly type: "day"; readonly key: string; readonly atMs: number }
  | { readonly type: "system"; readonly key: string; readonly line: Line; readonly owner: string }
  | { readonly type: "group"; readonly key: string; readonly side: Side; readonly actor: string; readonly lines: readonly Line[] }
  | { readonly type: "remark"; readonly key: string; readonly atMs: number; readonly words: string };

const GROUP_MS = 5 * 60_000;
/** Only the owner writes to the customer: also where the line by which they took it is not loaded, or there is none. */
const WRITTEN: ReadonlySet<string> = new Set(["replied", "composed"]);

export function sideOf(line: Line): Side {
  if (line.kind === "received") return "customer";
  return line.kind === "noted" ? "note" : "team";
}

/** Items in order; keys are those of the first line each begins with. */
export function arrange(lines: readonly Line[]): readonly Item[] {
  const items: Item[] = [];
  const remarked = remarks(lines);
  let day = -1;
  let owner = "";
  let open: { side: Side; actor: string; lines: Line[] } | null = null;
  for (const line of lines) {
    if (dayOf(line.atMs) !== day) {
      day = dayOf(line.atMs);
      items.push({ type: "day", key: `day:${day}`, atMs: line.atMs });
      open = null;
    }
    if (isSystem(line)) {
      items.push({ type: "system", key: line.key, line, owner });
      owner = line.to;
      open = null;
      continue;
    }
    if (WRITTEN.has(line.kind)) owner = line.actor;
    const side = sideOf(line);
    const last = open?.lines[open.lines.length - 1];
    if (open && last && open.side === side && open.actor === line.actor && line.atMs - last.atMs < GROUP_MS) {
      open.lines.push(line);
    } else {
      open = { side, actor: line.actor, lines: [line] };
      items.push({ type: "group", key: `group:${line.key}`, ...open });
    }
    const words = remarked.get(line.key);
    if (!words) continue;
    items.push({ type: "remark", key: `remark:${line.key}`, atMs: line.atMs, words });
    open = null;
  }
  return items;
}

/** Who finished it and when, as far as the loaded lines tell. */
export function finished(lines: readonly Line[]): { readonly by: string; readonly atMs: number } | null {
  for (let at = lines.length - 1; at >= 0; at -= 1) {
    const line = lines[at] as Line;
    if (line.kind === "done") return { by: line.actor, atMs: line.atMs };
  }
  return null;
}
