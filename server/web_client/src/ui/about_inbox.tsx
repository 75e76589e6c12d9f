/** What an inbox is, who is in it, and whom to ask for a change. */
import type { JSX } from "preact";
import "../styles/about.css";
import type { InboxInfo, Person } from "../contract";
import { KINDS } from "./admin/routing_words";
import { useStore } from "./context";
import { Dialog } from "./dialog";
import { closeDialog } from "./dialog_state";
import { phoneNumber } from "./format";
import { address, follow } from "./route";

const byName = (a: Person, b: Person): number => a.name.localeCompare(b.name);

function List({ items, none }: { items: readonly string[]; none: string }): JSX.Element {
  if (!items.length) return <dd class="about-none">{none}</dd>;
  return (
    <>
      {items.map((item) => (
        <dd key={item}>{item}</dd>
      ))}
    </>
  );
}

function Facts({ inbox }: { inbox: InboxInfo }): JSX.Element {
  const store = useStore();
  const me = store.me.value;
  const people = [...store.people.value.values()].filter(({ active }) => active).sort(byName);
  const named = ({ id, name, bot }: Person): string => (bot ? `${name} (bot)` : id === me?.id ? `${name} (you)` : name);
  const members = people.filter(({ id }) => inbox.members.includes(id));
  const admins = people.filter(({ role, bot }) => role === "admin" && !bot);
  const there = { page: "admin", section: "inboxes" } as const;
  return (
    <>
      <dl class="about">
        <dt>Kind</dt>
        <dd>{KINDS.find(([id]) => id === inbox.kind)?.[1] ?? inbox.kind}</dd>
        {inbox.extension ? (
          <>
            <dt>Extension</dt>
            <dd>{inbox.extension}</dd>
          </>
        ) : null}
        <dt>Numbers</dt>
        <List items={inbox.numbers.map(phoneNumber)} none="None at the moment: no new messages arrive." />
        <dt>Members</dt>
        <List items={members.map(named)} none="Nobody: only admins see it." />
        <dt>Admins</dt>
        <List items={admins.map(named)} none="Nobody" />
      </dl>
      {me?.role === "admin" ? (
        <p class="dialog-words">
          <a
            href={address(there)}
            onClick={(event) => {
              closeDialog();
              follow(there)(event);
            }}
          >
            Change it under Admin
          </a>
        </p>
      ) : (
        <p class="dialog-words">Ask an admin to change its numbers or members.</p>
      )}
    </>
  );
}

export function AboutInbox({ inbox }: { inbox: string }): JSX.Element {
  const found = useStore().inboxes.value.find(({ id }) => id === inbox);
  return (
    <Dialog label={found ? `About ${found.name}` : "About this inbox"}>
      {found ? <Facts inbox={found} /> : <p class="dialog-words">You no longer see this inbox.</p>}
      <footer class="dialog-foot">
        <button type="button" class="button button-primary" data-first onClick={closeDialog}>
          Close
        </button>
      </footer>
    </Dialog>
  );
}
