/** One person: what can be done with them, where they are signed in, their API keys. */
import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { useStore } from "../context";
import { SessionsOf } from "../sessions";
import { AwayPerson, BackPerson } from "./away_person";
import type { Done } from "./form_dialog";
import { Keys } from "./keys";
import { DeactivatePerson, DeletePerson, EditPerson, PasswordDialog, ReactivatePerson } from "./person_dialogs";
import { ReassignDialog } from "./reassign_dialog";
import type { Teammate, TeamInbox } from "./team_words";

type Asked = "edit" | "password" | "away" | "back" | "reassign" | "deactivate" | "reactivate" | "delete";

interface Props {
  readonly person: Teammate;
  readonly people: readonly Teammate[];
  readonly inboxes: readonly TeamInbox[];
  readonly onDone: Done;
}

const ACTIVE: readonly (readonly [Asked, string])[] = [
  ["edit", "Edit"],
  ["password", "Set a password"],
  ["away", "Set as away…"],
  ["reassign", "Reassign all conversations…"],
  ["deactivate", "Deactivate"],
  ["delete", "Delete"],
];

const AWAY: readonly (readonly [Asked, string])[] = ACTIVE.map((one) => (one[0] === "away" ? ["back", "Set as available"] : one));

const INACTIVE: readonly (readonly [Asked, string])[] = [
  ["edit", "Edit"],
  ["reactivate", "Reactivate"],
  ["delete", "Delete"],
];

const KEPT: Readonly<Partial<Record<Asked, Asked>>> = { reactivate: "deactivate", back: "away" };

function Asking({ asked, onClose, ...props }: Props & { asked: Asked; onClose: () => void }): JSX.Element {
  const { person, people, inboxes, onDone } = props;
  const shared = { person, onDone, onClose };
  switch (asked) {
    case "edit":
      return <EditPerson {...shared} />;
    case "password":
      return <PasswordDialog {...shared} />;
    case "away":
      return <AwayPerson {...shared} />;
    case "back":
      return <BackPerson {...shared} />;
    case "reassign":
      return <ReassignDialog {...shared} people={people} inboxes={inboxes} />;
    case "deactivate":
      return <DeactivatePerson {...shared} />;
    case "reactivate":
      return <ReactivatePerson {...shared} inboxes={inboxes} />;
    case "delete":
      return <DeletePerson {...shared} />;
  }
}

export function PersonDetail(props: Props): JSX.Element {
  const { person } = props;
  const asked = useSignal<Asked | null>(null);
  const away = (useStore().people.value.get(person.id)?.away ?? "") !== "";
  const acts = !person.active ? INACTIVE : away ? AWAY : ACTIVE;
  return (
    <section class="detail" aria-label={person.name}>
      <div class="table-tools">
        <h2>{person.name}</h2>
        <div class="tools">
          {acts.map(([act, label]) => (
            // One button does and undoes: it keeps the focus when it changes.
            <button key={KEPT[act] ?? act} type="button" class="button button-small" onClick={() => (asked.value = act)}>
              {label}
            </button>
          ))}
        </div>
      </div>
      {person.active ? (
        <>
          <h3>Sessions</h3>
          <SessionsOf user={person.id} />
          <h3>API keys</h3>
          <Keys owner={person} />
        </>
      ) : (
        <p class="soft">{`${person.name} has no access. What they wrote stays in the conversations.`}</p>
      )}
      {asked.value ? <Asking {...props} asked={asked.value} onClose={() => (asked.value = null)} /> : null}
    </section>
  );
}
