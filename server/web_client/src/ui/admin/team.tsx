/** People: who they are, inviting them, changing them, letting them go. */
import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { useEffect } from "preact/hooks";
import { useStore } from "../context";
import { PresenceDot, presenceOf } from "../presence";
import { Invitations } from "./invitations";
import { InviteDialog } from "./invite_dialog";
import { Pages, usePages, whole } from "./paging";
import { PersonDetail } from "./person_detail";
import { invitations, team, teamInboxes } from "./team_api";
import { inboxesOf, inOrder, roleWords, type Teammate } from "./team_words";

interface RowProps {
  readonly person: Teammate;
  readonly inboxes: string;
  readonly open: boolean;
  readonly onOpen: () => void;
}

function PersonRow({ person, inboxes, open, onOpen }: RowProps): JSX.Element {
  const store = useStore();
  const mine = store.me.value?.id === person.id;
  const there = presenceOf(store, person.id);
  return (
    <tr data-open={open ? "" : undefined}>
      <th scope="row">
        <button type="button" class="row-button" aria-expanded={open} onClick={onOpen}>
          {person.name}
        </button>
        {person.active && there ? <PresenceDot state={there} /> : null}
        {there === "away" ? <span class="tag">Away</span> : null}
        {mine ? <span class="tag">You</span> : null}
      </th>
      <td class="mono">{person.id}</td>
      <td>{roleWords(person.role)}</td>
      <td>{inboxes || <span class="soft">none</span>}</td>
      <td>
        <span class={person.active ? "state" : "state state-off"}>{person.active ? "Active" : "Deactivated"}</span>
      </td>
    </tr>
  );
}

export function Team(): JSX.Element {
  const store = useStore();
  const users = usePages(() => whole(team()));
  const inboxes = usePages(() => whole(teamInboxes()));
  const invited = usePages(() => whole(invitations()));
  const open = useSignal("");
  const inviting = useSignal(false);
  const renew = async (): Promise<void> => {
    await Promise.all([users.renew(), inboxes.renew(), invited.renew()]);
  };
  const reload = (): void => void renew();
  // Also what other admins do, and who accepts an invitation.
  useEffect(reload, [store.people.value, store.inboxes.value]);
  const people = inOrder(users.all ?? []);
  const all = inboxes.all ?? [];
  const chosen = people.find(({ id }) => id === open.value);
  return (
    <div class="page page-wide">
      <div class="table-tools">
        <h1>Team</h1>
        <button type="button" class="button" onClick={() => (inviting.value = true)}>
          Invite
        </button>
      </div>
      <p class="page-words">Members work in the inboxes they belong to; admins see all of them and these pages. Choose a name to change a person.</p>
      <Pages of={{ ...users, all: users.all && people, problem: users.problem || inboxes.problem, reload }} what="people" more="Show more" empty="Nobody is here.">
        {(shown) => (
          <div class="table-box">
            <table class="table">
              <caption class="hidden-text">People</caption>
              <thead>
                <tr>
                  <th scope="col">Name</th>
                  <th scope="col">Id</th>
                  <th scope="col">Role</th>
                  <th scope="col">Inboxes</th>
                  <th scope="col">State</th>
                </tr>
              </thead>
              <tbody>
                {shown.map((person) => (
                  <PersonRow
                    key={person.id}
                    person={person}
                    inboxes={inboxesOf(person.id, all)}
                    open={open.value === person.id}
                    onOpen={() => (open.value = open.value === person.id ? "" : person.id)}
                  />
                ))}
              </tbody>
            </table>
          </div>
        )}
      </Pages>
      {chosen ? <PersonDetail key={chosen.id} person={chosen} people={people} inboxes={all} onDone={renew} /> : null}
      <Invitations found={invited} inboxes={all} />
      {inviting.value ? <InviteDialog inboxes={all} onDone={reload} onClose={() => (inviting.value = false)} /> : null}
    </div>
  );
}
