/** The channels there are: public ones to join, those I am in, and for admins all. */
import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { useEffect } from "preact/hooks";
import { wordsOf } from "./admin/api";
import { useStore } from "./context";
import { Dialog } from "./dialog";
import { closeDialog, openDialog } from "./dialog_state";
import { PlusIcon } from "./icons";
import { HashIcon, LockIcon } from "./more_icons";
import { channels, type Channel } from "./room_api";
import { done, enter } from "./room_dialogs";

const peopleWords = (count: number): string => (count === 1 ? "1 member" : `${count} members`);

function ChannelLine({ channel, onProblem }: { channel: Channel; onProblem: (words: string) => void }): JSX.Element {
  const store = useStore();
  const { id, name, kind, member } = channel;
  const open = (): void => {
    closeDialog();
    enter(id);
  };
  const join = (): void => {
    done(store, store.joinRoom(id)).then(open, (error: unknown) => onProblem(wordsOf(error)));
  };
  const about = [kind === "private" ? "private" : "", channel.archived_at ? "archived" : "", peopleWords(channel.members)].filter(Boolean).join(", ");
  return (
    <li>
      {kind === "private" ? <LockIcon /> : <HashIcon />}
      <span class="channel-name">
        {name}
        <span class="channel-about">{about}</span>
      </span>
      <button type="button" class="button button-small" aria-label={member ? `Open ${name}` : `Join ${name}`} onClick={member ? open : join}>
        {member ? "Open" : "Join"}
      </button>
    </li>
  );
}

export function BrowseChannels(): JSX.Element {
  const store = useStore();
  const known = useSignal<readonly Channel[] | null>(null);
  const words = useSignal("");
  const problem = useSignal("");
  useEffect(() => {
    channels().then(
      (found) => (known.value = found),
      (error: unknown) => (problem.value = wordsOf(error)),
    );
  }, []);
  const asked = words.value.trim().toLocaleLowerCase();
  const found = (known.value ?? []).filter(({ name }) => name.toLocaleLowerCase().includes(asked));
  return (
    <Dialog label="Channels">
      <div class="channels-head">
        <input type="search" data-first aria-label="Find a channel" placeholder="Find a channel" value={words.value} onInput={(event) => (words.value = event.currentTarget.value)} />
        {store.me.value?.role === "admin" ? (
          <button type="button" class="button" onClick={() => openDialog({ kind: "create_channel" })}>
            <PlusIcon />
            New channel
          </button>
        ) : null}
      </div>
      {problem.value ? (
        <p class="problem" role="alert">
          {problem.value}
        </p>
      ) : null}
      <p class="hidden-text" role="status">
        {known.value ? `${found.length} channel${found.length === 1 ? "" : "s"}` : ""}
      </p>
      {found.length ? (
        <ul class="channels" aria-label="Channels">
          {found.map((channel) => (
            <ChannelLine key={channel.id} channel={channel} onProblem={(said) => (problem.value = said)} />
          ))}
        </ul>
      ) : known.value ? (
        <p class="section-empty">{asked ? "No channel has that name." : "There are no channels yet. An admin makes them."}</p>
      ) : null}
    </Dialog>
  );
}
