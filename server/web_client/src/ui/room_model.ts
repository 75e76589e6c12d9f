/** A room's lines arranged for reading: days, groups of one author, what happened, what is new. */
import type { Line } from "../contract";
import { dayOf } from "./format";
import { isSystem } from "./thread_words";

export type RoomItem =
  | { readonly type: "day"; readonly key: string; readonly atMs: number }
  | { readonly type: "unread"; readonly key: string }
  | { readonly type: "system"; readonly key: string; readonly line: Line }
  | { readonly type: "group"; readonly key: string; readonly actor: string; readonly lines: readonly Line[] };

const GROUP_MS = 5 * 60_000;

/** `unreadFrom`: the number of the first line that was not seen when the room was opened, 0 for none. */
export function arrangeRoom(lines: readonly Line[], unreadFrom: number): readonly RoomItem[] {
  const items: RoomItem[] = [];
  let day = -1;
  let open: { actor: string; lines: Line[] } | null = null;
  for (const line of lines) {
    if (dayOf(line.atMs) !== day) {
      day = dayOf(line.atMs);
      items.push({ type: "day", key: `day:${day}`, atMs: line.atMs });
      open = null;
    }
    if (unreadFrom > 0 && line.n === unreadFrom) {
      items.push({ type: "unread", key: "unread" });
      open = null;
    }
    if (isSystem(line)) {
      items.push({ type: "system", key: line.key, line });
      open = null;
      continue;
    }
    const last = open?.lines[open.lines.length - 1];
    if (open && last && open.actor === line.actor && line.atMs - last.atMs < GROUP_MS) open.lines.push(line);
    else {
      open = { actor: line.actor, lines: [line] };
      items.push({ type: "group", key: `group:${line.key}`, ...open });
    }
  }
  return items;
}

/** My last post that can be changed, 0 for none. */
export function lastOwn(lines: readonly Line[], me: string): number {
  for (let at = lines.length - 1; at >= 0; at -= 1) {
    const line = lines[at] as Line;
    if (line.kind === "posted" && line.actor === me && line.n > 0 && line.state !== "deleted") return line.n;
  }
  return 0;
}

/** Moves whenever somebody has come or gone. */
export function membershipMark(lines: readonly Line[]): number {
  for (let at = lines.length - 1; at >= 0; at -= 1) {
    const line = lines[at] as Line;
    if (line.kind === "member_joined" || line.kind === "member_removed") return line.n;
  }
  return 0;
}
