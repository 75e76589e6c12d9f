/** One room: its head, its messages, where one writes, who is in it. */
import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { useEffect, useMemo } from "preact/hooks";
import type { Room, Store, Thread } from "../contract";
import { online, type Choice } from "./acts";
import { untilAnswered } from "./asking";
import { Empty } from "./bits";
import { useStore } from "./context";
import { openDialog } from "./dialog_state";
import { useLooking } from "./looking";
import { keeping } from "./keeping_acts";
import { Menu } from "./menu";
import { BackIcon, HashIcon, LockIcon, PeopleIcon, PersonIcon } from "./more_icons";
import { OthersHere } from "./others_here";
import { places } from "./places";
import { PresenceDot, presenceOf } from "./presence";
import { membersOf } from "./room_api";
import { RoomComposer } from "./room_composer";
import { RoomLines } from "./room_lines";
import { MembersPane } from "./room_members";
import { membershipMark } from "./room_model";
import { KIND_WORDS, otherOf, roomName } from "./room_words";
import { back, go } from "./route";
import { panes } from "./screen";

/** Unread and open at once would be read again in the same moment: so it closes. */
async function markUnread(store: Store, id: string): Promise<void> {
  if (!online(store)) return;
  go({ conv: "" });
  places.list?.(id);
  await store.markRoomUnread(id);
}

function choicesOf(store: Store, room: Room): readonly Choice[] {
  const admin = store.me.value?.role === "admin";
  const channel = room.kind !== "direct";
  const found: Choice[] = [];
  const add = (when: boolean, id: string, label: string, run: () => void): void => {
    if (when) found.push({ id, label, hint: "", run });
  };
  add(room.posts > 0, "unread", "Mark unread", () => void markUnread(store, room.id));
  add(channel && admin, "rename", "Rename channel…", () => openDialog({ kind: "rename_room", room: room.id }));
  add(channel && admin, "archive", room.archived ? "Open channel again…" : "Archive channel…", () => openDialog({ kind: "archive_room", room: room.id }));
  add(channel, "leave", "Leave channel…", () => openDialog({ kind: "leave_room", room: room.id }));
  return found;
}

/** Who is in it; asked again whenever somebody comes or goes. Null while unknown. */
function useMembers(store: Store, room: Room | undefined, thread: Thread): readonly string[] | null {
  const known = useSignal<readonly string[] | null>(null);
  const mark = membershipMark(thread.lines.value);
  const live = store.link.value.state === "live";
  const channel = room !== undefined && room.kind !== "direct";
  useEffect(() => {
    if (!channel || !live) return;
    // Meanwhile who is in it stays as it was known.
    return untilAnswered(
      () => membersOf(room.id),
      (members) => (known.value = members),
    );
  }, [channel && room.id, mark, live]);
  return channel ? known.value : (room?.people ?? null);
}

interface HeadProps {
  readonly room: Room;
  readonly members: readonly string[] | null;
  readonly open: boolean;
  readonly onMembers: () => void;
}

function Head({ room, members, open, onMembers }: HeadProps): JSX.Element {
  const store = useStore();
  const direct = room.kind === "direct";
  const there = direct ? presenceOf(store, otherOf(room, store.me.value?.id ?? "")) : "";
  return (
    <header class="thread-head">
      {panes.value === 1 ? (
        <button type="button" class="icon-button" aria-label="Back" title="Back" onClick={() => back({ conv: "" })}>
          <BackIcon />
        </button>
      ) : null}
      <div class="thread-title">
        <h2 class="room-title">
          {direct ? <PersonIcon /> : room.kind === "private" ? <LockIcon /> : <HashIcon />}
          <bdi>{roomName(store, room)}</bdi>
        </h2>
        <p class="thread-about">
          <span>
            {KIND_WORDS[room.kind]}
            {room.archived ? ", archived" : ""}
          </span>
          {there ? (
            <span class="room-there">
              <PresenceDot state={there} words="" />
              {there}
            </span>
          ) : null}
          <OthersHere conv={room.id} />
        </p>
      </div>
      <div class="thread-acts">
        {direct ? null : (
          <button type="button" class="button button-small" aria-expanded={open} onClick={onMembers}>
            <PeopleIcon />
            <span class="button-text">Members</span>
            {members ? ` ${members.length}` : ""}
          </button>
        )}
        <Menu label="More actions" choices={[...choicesOf(store, room), ...keeping(store, room.id)]} />
      </div>
    </header>
  );
}

function Opened({ id }: { id: string }): JSX.Element {
  const store = useStore();
  const room = store.room(id).value;
  const known = room !== undefined;
  // Again once I am in it: before, there was nothing to read.
  const thread = useMemo(() => store.thread(id), [store, id, known]);
  const members = useMembers(store, room, thread);
  const showing = useSignal(false);
  const editing = useSignal(0);
  useLooking(store, id, () => store.room(id).value !== undefined);
  if (!room) {
    if (!store.ready.value || thread.loading.value) return <div class="thread-waiting" />;
    return <Empty title="This room is not here">You are not in it. Public channels are found, and joined, under Channels.</Empty>;
  }
  const people = (members ?? []).flatMap((user) => store.people.value.get(user) ?? []);
  return (
    <div class="room" data-members={showing.value ? "" : undefined}>
      <div class="room-talk">
        <Head room={room} members={members} open={showing.value} onMembers={() => (showing.value = !showing.value)} />
        <RoomLines room={room} thread={thread} people={people} editing={editing} />
        <RoomComposer room={room} thread={thread} people={people} editing={editing} />
      </div>
      {showing.value && room.kind !== "direct" ? <MembersPane room={room} members={members} onClose={() => (showing.value = false)} /> : null}
    </div>
  );
}

export function RoomPane({ id }: { id: string }): JSX.Element {
  return useStore().prepared.value ? <Opened id={id} /> : <div class="thread-waiting" />;
}
