/** What an admin does with a channel: each in a dialog. */
import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { nameOf, useStore } from "../context";
import type { Channel } from "../room_api";
import { activePeople } from "../room_words";
import { say } from "../toasts";
import { addTo, archiveChannel, createChannel, joinChannel, removeFrom, renameChannel } from "./channels_api";
import { Checks } from "./checks";
import { Confirm } from "./confirm";
import { FormDialog, type Done } from "./form_dialog";

interface Props {
  readonly channel: Channel;
  readonly onDone: Done;
  readonly onClose: () => void;
}

const NAME_MISSING = "Write a name: it is what colleagues find.";

export function CreateChannel({ onDone, onClose }: Omit<Props, "channel">): JSX.Element {
  const store = useStore();
  const name = useSignal("");
  const closed = useSignal(false);
  const members = useSignal<readonly string[]>([]);
  const me = store.me.value?.id;
  const act = async (): Promise<void> => {
    await createChannel({ name: name.peek().trim(), private: closed.peek(), members: members.peek() });
    say(`${name.peek().trim()} is there.`);
    await onDone();
  };
  return (
    <FormDialog label="New channel" button="Create" check={() => (name.peek().trim() ? "" : NAME_MISSING)} act={act} onClose={onClose}>
      <label class="field">
        <span>Name</span>
        <input type="text" data-first autocomplete="off" maxLength={120} value={name.value} onInput={(event) => (name.value = event.currentTarget.value)} />
      </label>
      <div class="check">
        <label>
          <input type="checkbox" checked={closed.value} onChange={(event) => (closed.value = event.currentTarget.checked)} />
          Private: only who is put into it finds and reads it
        </label>
      </div>
      <Checks
        label="Members beside you"
        options={activePeople(store)
          .filter(({ id }) => id !== me)
          .map(({ id, name: label }) => ({ id, label }))}
        chosen={members}
      />
    </FormDialog>
  );
}

export function RenameChannel({ channel, onDone, onClose }: Props): JSX.Element {
  const name = useSignal(channel.name);
  const act = async (): Promise<void> => {
    await renameChannel(channel.id, name.peek().trim());
    await onDone();
  };
  return (
    <FormDialog label={`Rename ${channel.name}`} button="Rename" check={() => (name.peek().trim() ? "" : NAME_MISSING)} act={act} onClose={onClose}>
      <label class="field">
        <span>Name</span>
        <input type="text" data-first autocomplete="off" maxLength={120} value={name.value} onInput={(event) => (name.value = event.currentTarget.value)} />
      </label>
    </FormDialog>
  );
}

export function ArchiveChannel({ channel, onDone, onClose }: Props): JSX.Element {
  const { id, name, archived_at } = channel;
  return archived_at === null ? (
    <Confirm
      label={`Archive ${name}`}
      words={`${name} can be read, but nobody can write to it until an admin opens it again.`}
      button="Archive"
      act={() => archiveChannel(id, true).then(onDone)}
      onClose={onClose}
    />
  ) : (
    <Confirm label={`Open ${name} again`} words={`Its members can write to ${name} again.`} button="Open again" act={() => archiveChannel(id, false).then(onDone)} onClose={onClose} />
  );
}

export function JoinChannel({ channel, onDone, onClose }: Props): JSX.Element {
  return (
    <Confirm
      label={`Join ${channel.name}`}
      words="You read everything in it from now on, also what was written before. Everybody in it sees that you have joined."
      button="Join"
      act={() => joinChannel(channel.id).then(onDone)}
      onClose={onClose}
    />
  );
}

/** `members` null: not known to who is not in it. */
export function AddToChannel({ channel, members, onDone, onClose }: Props & { readonly members: readonly string[] | null }): JSX.Element {
  const store = useStore();
  const chosen = useSignal("");
  const others = activePeople(store).filter(({ id }) => !members?.includes(id));
  const act = async (): Promise<void> => {
    await addTo(channel.id, chosen.peek());
    say(`${nameOf(store, chosen.peek())} is in ${channel.name}.`);
    await onDone();
  };
  return (
    <FormDialog label={`Add to ${channel.name}`} button="Add" check={() => (chosen.peek() ? "" : "Choose somebody.")} act={act} onClose={onClose}>
      <label class="field">
        <span>Person</span>
        <select data-first value={chosen.value} onChange={(event) => (chosen.value = event.currentTarget.value)}>
          <option value="">Choose…</option>
          {others.map(({ id, name }) => (
            <option key={id} value={id}>
              {name}
            </option>
          ))}
        </select>
      </label>
      <p class="dialog-words">Whoever is added reads everything in it, also what was written before.</p>
    </FormDialog>
  );
}

export function RemoveFromChannel({ channel, user, onDone, onClose }: Props & { readonly user: string }): JSX.Element {
  const name = nameOf(useStore(), user);
  return (
    <Confirm
      label={`Remove ${name}`}
      words={`${name} is taken out of ${channel.name}, and reads nothing of it from now on.`}
      button="Remove"
      act={() => removeFrom(channel.id, user).then(onDone)}
      onClose={onClose}
    />
  );
}
