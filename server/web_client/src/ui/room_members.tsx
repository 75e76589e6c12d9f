/** Who is in a channel, beside its messages; admins put people in and take them out. */
import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { useEffect, useRef } from "preact/hooks";
import type { Room } from "../contract";
import { online } from "./acts";
import { Avatar } from "./bits";
import { nameOf, useStore } from "./context";
import { openDialog } from "./dialog_state";
import { CloseIcon } from "./more_icons";
import { places } from "./places";
import { PresenceDot, presenceOf } from "./presence";
import { refusalWords } from "./refusals";
import { activePeople } from "./room_words";

function AddPerson({ room, members }: { room: Room; members: readonly string[] }): JSX.Element {
  const store = useStore();
  const chosen = useSignal("");
  const problem = useSignal("");
  const others = activePeople(store).filter(({ id }) => !members.includes(id));
  const add = async (): Promise<void> => {
    const user = chosen.peek();
    if (!user || !online(store)) return;
    const outcome = await store.inviteTo(room.id, user);
    problem.value = outcome.ok ? "" : refusalWords(outcome.slug, outcome.message);
    if (outcome.ok) chosen.value = "";
  };
  return (
    <form
      class="members-add"
      onSubmit={(event) => {
        event.preventDefault();
        void add();
      }}
    >
      <label class="field">
        <span>Add somebody</span>
        <select value={chosen.value} onChange={(event) => (chosen.value = event.currentTarget.value)}>
          <option value="">Choose…</option>
          {others.map(({ id, name }) => (
            <option key={id} value={id}>
              {name}
            </option>
          ))}
        </select>
      </label>
      <button type="submit" class="button button-small" aria-disabled={!chosen.value}>
        Add
      </button>
      {problem.value ? (
        <p class="problem" role="alert">
          {problem.value}
        </p>
      ) : null}
    </form>
  );
}

interface Props {
  readonly room: Room;
  readonly members: readonly string[] | null;
  readonly onClose: () => void;
}

export function MembersPane({ room, members, onClose }: Props): JSX.Element {
  const store = useStore();
  const me = store.me.value;
  const admin = me?.role === "admin";
  const close = useRef<HTMLButtonElement>(null);
  useEffect(() => {
    const opener = document.activeElement as HTMLElement | null;
    close.current?.focus();
    return () => (opener?.isConnected ? opener : places.composer)?.focus({ preventScroll: true });
  }, []);
  const named = [...(members ?? [])].sort((a, b) => nameOf(store, a).localeCompare(nameOf(store, b)));
  const keys = (event: KeyboardEvent): void => {
    if (event.key === "Escape") onClose();
  };
  return (
    <aside class="members" aria-label="Members" onKeyDown={keys}>
      <header class="members-head">
        <h3>Members</h3>
        <button type="button" class="icon-button icon-button-small" aria-label="Close members" title="Close" ref={close} onClick={onClose}>
          <CloseIcon />
        </button>
      </header>
      <ul class="members-list">
        {named.map((user) => {
          const there = presenceOf(store, user);
          const name = nameOf(store, user);
          return (
            <li key={user}>
              <Avatar name={name} />
              <span class="members-name">
                {name}
                {user === me?.id ? " (you)" : ""}
              </span>
              {there ? <PresenceDot state={there} /> : null}
              {admin && user !== me?.id ? (
                <button type="button" class="icon-button icon-button-small" aria-label={`Remove ${name}`} title="Remove" onClick={() => openDialog({ kind: "remove_member", room: room.id, user })}>
                  <CloseIcon />
                </button>
              ) : null}
            </li>
          );
        })}
      </ul>
      {admin && members ? <AddPerson room={room} members={members} /> : null}
    </aside>
  );
}
