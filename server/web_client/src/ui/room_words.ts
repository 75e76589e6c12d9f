/** Rooms in words. */
import type { Line, Person, Room, Store } from "../contract";
import { nameOf } from "./context";

type Naming = (id: string, acting?: boolean) => string;

/** With whom a direct room is; myself where there is nobody else. */
export const otherOf = (room: Room, me: string): string => room.people.find((id) => id !== me) ?? me;

/** What it is called in lists and over its messages. */
export function roomName(store: Store, room: Room): string {
  if (room.kind !== "direct") return room.name;
  const me = store.me.value?.id ?? "";
  const other = otherOf(room, me);
  return other === me ? `${nameOf(store, me)} (you)` : nameOf(store, other);
}

export const KIND_WORDS: Readonly<Record<Room["kind"], string>> = {
  direct: "Direct message",
  public: "Public channel",
  private: "Private channel",
};

/** "3 unread, 1 mentions you" */
export function unreadWords(unread: number, mentions: number): string {
  const parts = unread ? [`${unread} unread`] : [];
  if (mentions) parts.push(mentions === 1 ? "1 mentions you" : `${mentions} mention you`);
  return parts.join(", ");
}

/** What happened to a room; "" for what needs no word. */
export function roomLineWords(line: Line, kind: Room["kind"], naming: Naming): string {
  const actor = line.actor ? naming(line.actor, true) : "";
  switch (line.kind) {
    case "room_created":
      return kind === "direct" ? "" : `${actor} made this channel`;
    case "room_changed":
      if (line.why === "archived") return `${actor} archived this channel`;
      if (line.why === "reopened") return `${actor} opened this channel again`;
      return `${actor} renamed this channel to ${line.text}`;
    case "member_joined":
      return line.to === line.actor ? `${actor} joined` : `${actor} added ${naming(line.to)}`;
    case "member_removed":
      if (line.to === line.actor) return `${actor} left`;
      return actor ? `${actor} removed ${naming(line.to)}` : `${naming(line.to, true)} left the organisation`;
    default:
      return "";
  }
}

/** Those who can be called, told or added: everybody who is there. */
export const activePeople = (store: Store): readonly Person[] =>
  [...store.people.value.values()].filter(({ active }) => active).sort((a, b) => a.name.localeCompare(b.name));
