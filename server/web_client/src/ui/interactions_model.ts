/** One list of conversations with customers and of rooms, the newest first. */
import type { List, Room, Store } from "../contract";
import type { Kinds } from "./route";
import type { Section } from "./sections";

export const KIND_NAMES: Readonly<Record<Kinds, string>> = {
  all: "All",
  external: "External",
  direct: "Direct",
  channels: "Channels",
};

const EMPTY: Readonly<Record<Kinds, string>> = {
  all: "Nothing yet. Conversations with customers, direct messages and channels appear here.",
  external: "No customer has written yet. Their conversations appear here, done or not.",
  direct: "No direct messages yet. Choose New and a colleague.",
  channels: "You are in no channel. Choose Channels to find one and join.",
};

/** Rooms are there whole: nothing is asked for. */
const WHOLE = { more: () => undefined } as const;

const fits = (kinds: Kinds, room: Room): boolean =>
  kinds === "all" || (kinds === "direct" ? room.kind === "direct" : kinds === "channels" && room.kind !== "direct");

/** How many of these (newest first) are as new as `ms`, looking from `from` on. */
function newer(ids: readonly string[], msOf: (id: string) => number, ms: number, from: number): number {
  let low = from;
  let high = ids.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (msOf(ids[middle] as string) >= ms) low = middle + 1;
    else high = middle;
  }
  return low;
}

/**
 * Loaded conversations and rooms as one, newest first. Below the last one loaded there may be
 * conversations that are missing here, so that no room is shown there until everything is loaded.
 */
export function merged(
  external: readonly string[],
  msOf: (id: string) => number,
  rooms: readonly { readonly id: string; readonly lastMs: number }[],
  whole: boolean,
): string[] {
  const last = external[external.length - 1];
  const floor = whole ? -Infinity : last === undefined ? Infinity : msOf(last);
  const found: string[] = [];
  let at = 0;
  for (const { id, lastMs } of rooms) {
    if (lastMs < floor) break;
    const to = newer(external, msOf, lastMs, at);
    found.push(...external.slice(at, to), id);
    at = to;
  }
  return [...found, ...external.slice(at)];
}

/** The list as it is shown now; subscribes to what it is made of. */
export function interactionsOf(store: Store, kinds: Kinds): Section {
  const list = store.list("all", null);
  const rooms = kinds === "external" ? [] : store.rooms.value.filter((room) => fits(kinds, room));
  const external = kinds === "all" || kinds === "external";
  if (!external) return sectionOf(kinds, { ...list, ...WHOLE } as List, rooms.map(({ id }) => id), true);
  void list.moved.value;
  const msOf = (id: string): number => store.conversation(id).peek()?.row.last_ms ?? 0;
  const ids = list.ids.value;
  const whole = list.complete.value;
  // What could not be read at all keeps nobody from the rooms.
  const failed = !ids.length && !list.loading.value && store.ready.value;
  return sectionOf(kinds, list, merged(ids, msOf, rooms, whole || failed), whole);
}

function sectionOf(kinds: Kinds, list: List, ids: readonly string[], whole: boolean): Section {
  return {
    view: "all",
    title: "Interactions",
    list,
    ids,
    open: true,
    count: String(ids.length),
    empty: EMPTY[kinds],
    unfinished: !whole,
  };
}
