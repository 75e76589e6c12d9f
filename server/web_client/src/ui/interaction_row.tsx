/** One conversation or room in the list of Interactions. */
import type { JSX } from "preact";
import type { ComponentChildren } from "preact";
import type { ConversationView, Room, Store } from "../contract";
import { Badge, Flag, Hidden } from "./bits";
import { nameOf, useStore } from "./context";
import { capped, fullTime, phoneNumber, shortTime } from "./format";
import { PhoneIcon } from "./icons";
import { HashIcon, LockIcon, PersonIcon } from "./more_icons";
import { PresenceDot, presenceOf } from "./presence";
import { roomName, otherOf, unreadWords } from "./room_words";
import { address, follow, route } from "./route";
import type { RowProps } from "./row";
import { minute } from "./time";

interface Face {
  readonly icon: ComponentChildren;
  readonly name: string;
  readonly kind: string;
  readonly aside?: ComponentChildren;
  readonly atMs: number;
  readonly preview: string;
  readonly unread: boolean;
  readonly badge: ComponentChildren;
  readonly draft: boolean;
}

/** How many posts are new, and whether one of them names me. */
export function RoomBadge({ unread, mentions }: { unread: number; mentions: number }): JSX.Element | null {
  if (!unread) return null;
  const words = unreadWords(unread, mentions);
  return (
    <span class="badge badge-room" data-badge="room" title={words}>
      <span aria-hidden="true">{mentions ? `@${capped(unread)}` : capped(unread)}</span>
      <Hidden>{` ${words}`}</Hidden>
    </span>
  );
}

function roomFace(store: Store, room: Room): Face {
  const me = store.me.value?.id ?? "";
  const direct = room.kind === "direct";
  const there = direct ? presenceOf(store, otherOf(room, me)) : "";
  const by = room.lastBy === me ? "You: " : direct ? "" : `${nameOf(store, room.lastBy)}: `;
  return {
    icon: direct ? <PersonIcon /> : room.kind === "private" ? <LockIcon /> : <HashIcon />,
    name: roomName(store, room),
    kind: direct ? "Direct" : "Channel",
    aside: there ? <PresenceDot state={there} /> : room.archived ? "archived" : null,
    atMs: room.lastMs,
    preview: room.lastBy ? `${by}${room.preview || "Message deleted"}` : "No messages yet",
    unread: room.unread > 0,
    badge: <RoomBadge unread={room.unread} mentions={room.mentions} />,
    draft: store.draft(room.id).value !== "",
  };
}

function externalFace(store: Store, view: ConversationView): Face {
  const { row } = view;
  return {
    icon: view.flag === "none" ? <PhoneIcon /> : <Flag view={view} />,
    name: store.contact(row.customer).value?.name ?? phoneNumber(row.customer),
    kind: "External",
    aside: row.status === "done" ? "done" : null,
    atMs: row.last_ms,
    preview: row.preview || "No text",
    unread: view.badge !== "none",
    badge: <Badge view={view} />,
    draft: view.flag === "mine" && store.draft(row.id).value !== "",
  };
}

export function InteractionRow({ id, top, place, total, stop }: RowProps): JSX.Element {
  const store = useStore();
  const room = store.room(id).value;
  const view = room ? undefined : store.conversation(id).value;
  const face = room ? roomFace(store, room) : view ? externalFace(store, view) : null;
  const selected = route.value.conv === id;
  const at = { "--top": `${top}px` };
  if (!face) {
    return (
      <li class="row-place" style={at}>
        <span class="row row-skeleton" data-conv={id} />
      </li>
    );
  }
  const classes = `row${selected ? " row-selected" : ""}${face.unread ? " row-unread" : ""}`;
  return (
    <li class="row-place" style={at} aria-posinset={place} aria-setsize={total}>
      <a class={classes} data-conv={id} href={address({ conv: id })} onClick={follow({ conv: id })} tabIndex={stop ? 0 : -1} aria-current={selected ? "true" : undefined}>
        <span class="row-line">
          <bdi class="row-customer">{face.name}</bdi>
          <span class="row-inbox">
            {face.kind}
            {face.aside ? <span class="row-aside">{face.aside}</span> : null}
          </span>
          <time class="row-time" dateTime={new Date(face.atMs).toISOString()} title={fullTime(face.atMs)}>
            {shortTime(face.atMs, minute.value)}
          </time>
        </span>
        <span class="row-flag row-kind">{face.icon}</span>
        <span class="row-line">
          <span class="row-preview">
            {face.draft ? <span class="row-draft">Draft </span> : null}
            {face.preview}
          </span>
          {face.badge}
        </span>
      </a>
    </li>
  );
}
