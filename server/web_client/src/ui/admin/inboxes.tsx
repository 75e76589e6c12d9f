/** The routing destinations: what each is, which numbers feed it, who sees it, how much waits. */
import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { useEffect, useRef } from "preact/hooks";
import "../../styles/routing.css";
import { Avatar, Hidden } from "../bits";
import { nameOf, useStore } from "../context";
import { phoneNumber } from "../format";
import { focusSoon } from "../places";
import { AssignNumber } from "./assign_number";
import { InboxDelete } from "./inbox_delete";
import { InboxDialog } from "./inbox_dialog";
import { waitsFor, type Live } from "./live_words";
import { Pages, usePages, whole } from "./paging";
import { pollWhileVisible } from "./polling";
import { inboxes, liveView, team } from "./routing_api";
import { kindName, type AdminInbox } from "./routing_words";
import { RulesDialog } from "./rules_dialog";

const LIVE_MS = 5_000;
const FACES = 4;

type Changing = "edit" | "rules" | "delete" | "assign";
type Doing = { readonly what: "add" } | { readonly what: Changing; readonly inbox: AdminInbox };

function Members({ ids }: { ids: readonly string[] }): JSX.Element {
  const store = useStore();
  const names = ids.map((id) => nameOf(store, id)).sort((a, b) => a.localeCompare(b));
  if (!names.length) return <span class="soft">none</span>;
  return (
    <span class="faces" title={names.join(", ")}>
      {names.slice(0, FACES).map((name, at) => (
        <Avatar key={at} name={name} />
      ))}
      <span class="faces-count">
        {names.length}
        <Hidden>{`: ${names.join(", ")}`}</Hidden>
      </span>
    </span>
  );
}

function FedBy({ inbox, onAssign }: { inbox: AdminInbox; onAssign: () => void }): JSX.Element {
  if (inbox.numbers.length)
    return (
      <>
        {inbox.numbers.map((number) => (
          <span key={number} class="cell-line cell-time">
            {phoneNumber(number)}
          </span>
        ))}
      </>
    );
  return (
    <>
      <span class="cell-line soft">{inbox.live ? "None: nothing new arrives" : "Comes into being with its first number"}</span>
      <button type="button" class="link-button" aria-label={`Assign a number to ${inbox.name}`} onClick={onAssign}>
        Assign a number
      </button>
    </>
  );
}

function Row({ inbox, live, onDo }: { inbox: AdminInbox; live: Live | null; onDo: (what: Changing) => void }): JSX.Element {
  const now = live?.inboxes.find(({ id }) => id === inbox.id);
  return (
    <tr>
      <th scope="row">{inbox.name}</th>
      <td>
        <span class="cell-time">{kindName(inbox.kind)}</span>
        {inbox.extension ? <span class="cell-aside">{`Extension ${inbox.extension}`}</span> : null}
      </td>
      <td class="cell-numbers">
        <FedBy inbox={inbox} onAssign={() => onDo("assign")} />
      </td>
      <td>
        <Members ids={inbox.members} />
      </td>
      <td class="cell-number">{now ? now.unassigned + now.assigned : ""}</td>
      <td class="cell-number cell-time">{now && live ? waitsFor(now.oldest_waiting_at, live.at) : ""}</td>
      <td class="cell-acts">
        <button type="button" class="button button-small" aria-label={`Edit ${inbox.name}`} onClick={() => onDo("edit")}>
          Edit
        </button>
        <button type="button" class="button button-small" aria-label={`Rules of ${inbox.name}`} onClick={() => onDo("rules")}>
          Rules
        </button>
        <button type="button" class="button button-small" aria-label={`Delete ${inbox.name}`} onClick={() => onDo("delete")}>
          Delete
        </button>
      </td>
    </tr>
  );
}

/** Asked for again and again, but never a reason for this page to complain: the columns stay empty. */
function useLive(): Live | null {
  const live = useSignal<Live | null>(null);
  useEffect(
    () =>
      pollWhileVisible(LIVE_MS, async () => {
        live.value = await liveView().catch(() => null);
      }),
    [],
  );
  return live.value;
}

export function Inboxes(): JSX.Element {
  const store = useStore();
  const found = usePages(() => whole(inboxes()));
  const people = usePages(() => whole(team()));
  const live = useLive();
  const doing = useSignal<Doing | null>(null);
  const add = useRef<HTMLButtonElement>(null);
  useEffect(found.reload, [store.inboxes.value, store.people.value]);
  useEffect(people.reload, [store.people.value]);
  const now = doing.value;
  const close = (): void => {
    doing.value = null;
  };
  const all = found.all ?? [];
  /** The row is gone, and its buttons with it. */
  const deleted = (): void => {
    found.reload();
    focusSoon(() => add.current);
  };
  return (
    <div class="page page-wide">
      <div class="table-tools">
        <h1>Inboxes</h1>
        <button type="button" class="button" ref={add} onClick={() => (doing.value = { what: "add" })}>
          Add inbox
        </button>
      </div>
      <p class="page-words">
        Phone numbers deliver to a department, a ring group or a welcome menu. It becomes an inbox for its members with its first number.
      </p>
      <Pages of={found} what="inboxes" more="Show more" empty="No inboxes yet. Add one, then assign a number to it.">
        {() => (
          <div class="table-box">
            <table class="table">
              <caption class="hidden-text">Inboxes</caption>
              <thead>
                <tr>
                  <th scope="col">Name</th>
                  <th scope="col">Kind</th>
                  <th scope="col">Numbers</th>
                  <th scope="col">Members</th>
                  <th scope="col" class="cell-number">Open</th>
                  <th scope="col" class="cell-number">Oldest</th>
                  <th scope="col">
                    <span class="hidden-text">Actions</span>
                  </th>
                </tr>
              </thead>
              <tbody>
                {[...all]
                  .sort((a, b) => a.name.localeCompare(b.name))
                  .map((inbox) => (
                    <Row key={inbox.id} inbox={inbox} live={live} onDo={(what) => (doing.value = { what, inbox })} />
                  ))}
              </tbody>
            </table>
          </div>
        )}
      </Pages>
      {now?.what === "add" || now?.what === "edit" ? (
        <InboxDialog inbox={now.what === "edit" ? now.inbox : null} team={people.all ?? []} onDone={found.renew} onClose={close} />
      ) : null}
      {now?.what === "rules" ? <RulesDialog inbox={now.inbox} onDone={found.renew} onClose={close} /> : null}
      {now?.what === "delete" ? <InboxDelete inbox={now.inbox} onDone={deleted} onClose={close} /> : null}
      {now?.what === "assign" ? <AssignNumber inbox={now.inbox} inboxes={all} onDone={found.reload} onClose={close} /> : null}
    </div>
  );
}
