/** Handing over everything somebody holds, and what came of it. */
import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { useRef } from "preact/hooks";
import { inboxName, useStore } from "../context";
import { Dialog } from "../dialog";
import { address, follow } from "../route";
import { say } from "../toasts";
import { useCustomers } from "./customers";
import { FormDialog } from "./form_dialog";
import type { PersonProps } from "./person_dialogs";
import { reassign } from "./team_api";
import { conversationsWords, leftWords, movedWords, receivers, type Reassigned, type Teammate, type TeamInbox } from "./team_words";

/** More are counted, not listed. */
const LISTED_MAX = 50;

interface Result extends Reassigned {
  /** A name; null for the inboxes. */
  readonly to: string | null;
}

function Left({ left, to }: Pick<Result, "left" | "to">): JSX.Element {
  const store = useStore();
  const listed = left.slice(0, LISTED_MAX);
  const customer = useCustomers(listed.map(({ conv }) => conv));
  return (
    <>
      <p class="dialog-words">{`${conversationsWords(left.length)} stayed:`}</p>
      <ul class="left-list">
        {listed.map(({ conv, code }) => {
          const there = { page: "inboxes", inbox: null, filter: "open", conv } as const;
          return (
            <li key={conv}>
              <a href={address(there)} onClick={follow(there)}>
                {customer(conv)}
              </a>
              {` in ${inboxName(store, conv.split(".")[0] ?? "")}: ${leftWords(code, to)}`}
            </li>
          );
        })}
      </ul>
      {left.length > listed.length ? <p class="dialog-aside">{`and ${left.length - listed.length} more`}</p> : null}
    </>
  );
}

function Outcome({ person, result, onClose }: { person: Teammate; result: Result; onClose: () => void }): JSX.Element {
  return (
    <Dialog label="Reassigned" onClose={onClose}>
      <div class="dialog-stack">
        <p class="dialog-words">{movedWords(result.moved, person.name, result.to)}</p>
        <Left left={result.left} to={result.to} />
        <footer class="dialog-foot">
          <button type="button" class="button button-primary" data-first onClick={onClose}>
            Done
          </button>
        </footer>
      </div>
    </Dialog>
  );
}

interface Props extends PersonProps {
  readonly people: readonly Teammate[];
  readonly inboxes: readonly TeamInbox[];
}

/** Closes when all went over; else it shows which stayed, and why. */
export function ReassignDialog({ person, people, inboxes, onDone, onClose }: Props): JSX.Element {
  const to = useSignal("");
  const inbox = useSignal("");
  const result = useSignal<Result | null>(null);
  const running = useRef(false);
  if (result.value) return <Outcome person={person} result={result.value} onClose={onClose} />;
  const offered = receivers(person.id, people, inboxes.find(({ id }) => id === inbox.value));
  const receiver = offered.find(({ id }) => id === to.value);
  const act = async (): Promise<void> => {
    if (running.current) return;
    running.current = true;
    try {
      const done = await reassign(person.id, receiver?.id ?? null, inbox.peek());
      const name = receiver?.name ?? null;
      onDone();
      if (done.left.length) result.value = { ...done, to: name };
      else {
        say(movedWords(done.moved, person.name, name));
        onClose();
      }
    } finally {
      running.current = false;
    }
  };
  return (
    <FormDialog label={`Reassign all of ${person.name}'s conversations`} button="Reassign all" act={act} onClose={onClose} staysOpen>
      <p class="dialog-words">{`Everything assigned to ${person.name} now goes over, one by one. What changes meanwhile stays as it is.`}</p>
      <label class="field">
        <span>To</span>
        <select data-first value={receiver?.id ?? ""} onChange={(event) => (to.value = event.currentTarget.value)}>
          <option value="">Back to the inboxes</option>
          {offered.map(({ id, name }) => (
            <option key={id} value={id}>
              {name}
            </option>
          ))}
        </select>
      </label>
      <label class="field">
        <span>Inbox</span>
        <select value={inbox.value} onChange={(event) => (inbox.value = event.currentTarget.value)}>
          <option value="">All inboxes</option>
          {inboxes.map(({ id, name }) => (
            <option key={id} value={id}>
              {name}
            </option>
          ))}
        </select>
      </label>
      {receiver && !inbox.value ? <p class="field-hint">{`What is in inboxes that ${receiver.name} is no member of stays.`}</p> : null}
    </FormDialog>
  );
}
