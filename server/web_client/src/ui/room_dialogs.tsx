/** The dialogs about rooms: writing to somebody, finding channels, what admins do with them. */
import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import "../styles/room_dialogs.css";
import type { Outcome, Store } from "../contract";
import { Problem } from "./admin/api";
import { Confirm } from "./admin/confirm";
import { FormDialog } from "./admin/form_dialog";
import { BrowseChannels } from "./browse_channels";
import { nameOf, useStore } from "./context";
import { closeDialog, type RoomDialog } from "./dialog_state";
import { NewMessage } from "./new_message";
import { PostVersions } from "./post_versions";
import { focusSoon, places } from "./places";
import { refusalWords } from "./refusals";
import { activePeople } from "./room_words";
import { go } from "./route";

/** A refusal as the dialogs say it. */
export async function done(store: Store, outcome: Promise<Outcome>): Promise<string> {
  if (store.link.peek().state !== "live") throw new Problem("offline", "You are offline. Nothing was changed.");
  const result = await outcome;
  if (!result.ok) throw new Problem(result.slug, refusalWords(result.slug, result.message));
  return result.conv;
}

/** Open a room, and the place to write in. */
export function enter(room: string): void {
  go({ page: "interactions", conv: room });
  focusSoon(() => places.composer);
}

function CreateChannel(): JSX.Element {
  const store = useStore();
  const name = useSignal("");
  const closed = useSignal(false);
  const members = useSignal<readonly string[]>([]);
  const me = store.me.value?.id;
  const room = useSignal("");
  const toggle = (id: string): void => {
    const now = members.peek();
    members.value = now.includes(id) ? now.filter((other) => other !== id) : [...now, id];
  };
  const close = (): void => {
    closeDialog();
    if (room.peek()) enter(room.peek());
  };
  return (
    <FormDialog
      label="New channel"
      button="Create"
      check={() => (name.peek().trim() ? "" : "Give the channel a name.")}
      act={async () => {
        room.value = await done(store, store.createChannel(name.peek().trim(), closed.peek(), members.peek()));
      }}
      onClose={close}
    >
      <label class="field">
        <span>Name</span>
        <input data-first autocomplete="off" value={name.value} onInput={(event) => (name.value = event.currentTarget.value)} />
      </label>
      <label class="pick">
        <input type="checkbox" checked={closed.value} onChange={(event) => (closed.value = event.currentTarget.checked)} />
        <span>Private: only who is put into it finds and reads it</span>
      </label>
      <fieldset class="choose-people">
        <legend>Members beside you</legend>
        {activePeople(store)
          .filter(({ id }) => id !== me)
          .map(({ id, name: words }) => (
            <label key={id} class="pick">
              <input type="checkbox" checked={members.value.includes(id)} onChange={() => toggle(id)} />
              <span>{words}</span>
            </label>
          ))}
      </fieldset>
    </FormDialog>
  );
}

function RenameRoom({ room }: { room: string }): JSX.Element {
  const store = useStore();
  const name = useSignal(store.room(room).peek()?.name ?? "");
  return (
    <FormDialog
      label="Rename channel"
      button="Rename"
      check={() => (name.peek().trim() ? "" : "Give the channel a name.")}
      act={async () => void (await done(store, store.renameRoom(room, name.peek().trim())))}
      onClose={closeDialog}
    >
      <label class="field">
        <span>Name</span>
        <input data-first autocomplete="off" value={name.value} onInput={(event) => (name.value = event.currentTarget.value)} />
      </label>
    </FormDialog>
  );
}

export function RoomDialogs({ state }: { state: RoomDialog }): JSX.Element {
  const store = useStore();
  const nameOfRoom = (id: string): string => store.room(id).value?.name ?? "this channel";
  const confirm = (label: string, words: string, button: string, act: () => Promise<Outcome>): JSX.Element => (
    <Confirm label={label} words={words} button={button} act={async () => void (await done(store, act()))} onClose={closeDialog} />
  );
  switch (state.kind) {
    case "new_message":
      return <NewMessage />;
    case "browse_channels":
      return <BrowseChannels />;
    case "create_channel":
      return <CreateChannel />;
    case "rename_room":
      return <RenameRoom room={state.room} />;
    case "archive_room": {
      const { room } = state;
      const name = nameOfRoom(room);
      return store.room(room).value?.archived
        ? confirm("Open channel again", `Its members can write to ${name} again.`, "Open again", () => store.archiveRoom(room, false))
        : confirm("Archive channel", `${name} can be read, but nobody can write to it until an admin opens it again.`, "Archive", () => store.archiveRoom(room, true));
    }
    case "leave_room": {
      const { room } = state;
      const secret = store.room(room).value?.kind === "private";
      const again = secret ? "You can come back only if an admin adds you." : "You can join it again under Channels.";
      return confirm("Leave channel", `You leave ${nameOfRoom(room)}, and no longer read it. ${again}`, "Leave", () => store.leaveRoom(room));
    }
    case "remove_member": {
      const { room, user } = state;
      const name = nameOf(store, user);
      return confirm("Remove from channel", `${name} is taken out of ${nameOfRoom(room)}, and reads nothing of it from now on.`, "Remove", () => store.removeFrom(room, user));
    }
    case "post_versions":
      return <PostVersions room={state.room} n={state.n} gone={state.gone} />;
    case "delete_post":
      return confirm("Delete message", "Its text and files go, for everybody. That it was there stays to be seen.", "Delete", () => store.deletePost(state.room, state.n));
  }
}
