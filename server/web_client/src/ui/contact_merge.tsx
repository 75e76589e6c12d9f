/** Making two contacts one. */
import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { useEffect } from "preact/hooks";
import { wordsOf } from "./admin/api";
import { FormDialog } from "./admin/form_dialog";
import { contacts, mergeContacts, type Contact } from "./contacts_api";
import { phoneNumber } from "./format";
import { ListBox } from "./list_box";
import { say } from "./toasts";
import { useSettled } from "./settled";

interface Props {
  /** The one that stays. */
  readonly into: Contact;
  readonly onDone?: (() => void) | undefined;
  readonly onClose: () => void;
}

const OFFERED = 8;

export function MergeDialog({ into, onDone, onClose }: Props): JSX.Element {
  const words = useSignal("");
  const asked = useSettled(words.value);
  const found = useSignal<readonly Contact[]>([]);
  const chosen = useSignal("");
  const problem = useSignal("");
  useEffect(() => {
    let outdated = false;
    contacts(asked.trim(), "", OFFERED + 1).then(
      ({ items }) => {
        if (outdated) return;
        found.value = items.filter(({ id }) => id !== into.id).slice(0, OFFERED);
        if (!found.value.some(({ id }) => id === chosen.peek())) chosen.value = "";
      },
      (error: unknown) => {
        if (!outdated) problem.value = wordsOf(error);
      },
    );
    return () => {
      outdated = true;
    };
  }, [asked]);
  const other = found.value.find(({ id }) => id === chosen.value);
  const act = async (): Promise<void> => {
    await mergeContacts(into.id, chosen.peek());
    say(`${into.name} now has the numbers and the note of both.`);
    onDone?.();
  };
  const options = found.value.map(({ id, name, numbers }) => ({ id, label: [name, ...numbers.slice(0, 1).map(phoneNumber)].join(" · "), presence: "" as const }));
  return (
    <FormDialog label={`Merge with ${into.name}`} button="Merge" check={() => (chosen.peek() ? "" : "Choose the contact that is the same customer.")} act={act} onClose={onClose}>
      <label class="field">
        <span>Find the other one</span>
        <input type="search" data-first autocomplete="off" placeholder="Name or number" value={words.value} onInput={(event) => (words.value = event.currentTarget.value)} />
      </label>
      {problem.value ? (
        <p class="problem" role="alert">
          {problem.value}
        </p>
      ) : options.length ? (
        <ListBox label="Contacts" options={options} chosen={chosen} />
      ) : (
        <p class="dialog-words">No other contact has that name or number.</p>
      )}
      <p class="dialog-words" role="status">
        {other ? `${into.name} gets the numbers and the note of ${other.name}, which is no more afterwards. This cannot be undone.` : ""}
      </p>
    </FormDialog>
  );
}
