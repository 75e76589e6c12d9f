/** A contact as a card that everybody may change; admins also merge and delete. */
import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { useEffect } from "preact/hooks";
import { wordsOf } from "./admin/api";
import { Confirm } from "./admin/confirm";
import { FormDialog, type Done } from "./admin/form_dialog";
import { MergeDialog } from "./contact_merge";
import { fieldsProblem, numbersIn } from "./contact_words";
import { addContact, changeContact, deleteContact, holder, type Contact } from "./contacts_api";
import { useStore } from "./context";
import { Dialog } from "./dialog";
import { phoneNumber } from "./format";
import { say } from "./toasts";

interface Props {
  /** The one to change; null for a new one. */
  readonly contact: Contact | null;
  /** The number of a new one. */
  readonly number?: string;
  readonly onDone?: Done | undefined;
  readonly onClose: () => void;
}

type Also = "" | "merge" | "delete";

function Fields({ contact, number = "", onDone, onClose, also }: Props & { also: (what: Also) => void }): JSX.Element {
  const admin = useStore().me.value?.role === "admin";
  const name = useSignal(contact?.name ?? "");
  const numbers = useSignal((contact?.numbers ?? (number ? [number] : [])).map(phoneNumber).join("\n"));
  const note = useSignal(contact?.note ?? "");
  const fields = () => ({ name: name.peek().trim(), numbers: numbersIn(numbers.peek()), note: note.peek().trim() });
  const act = async (): Promise<void> => {
    if (contact) await changeContact(contact, fields());
    else await addContact(fields());
    say(`${name.peek().trim()} is saved.`);
    await onDone?.();
  };
  return (
    <FormDialog label={contact ? "Contact" : "New contact"} button="Save" check={() => fieldsProblem(fields())} act={act} onClose={onClose}>
      <label class="field">
        <span>Name</span>
        <input type="text" data-first autocomplete="off" maxLength={120} value={name.value} onInput={(event) => (name.value = event.currentTarget.value)} />
      </label>
      <label class="field">
        <span>Numbers, one a line</span>
        <textarea rows={2} autocomplete="off" placeholder="+1 416 555 0142" value={numbers.value} onInput={(event) => (numbers.value = event.currentTarget.value)} />
      </label>
      <label class="field">
        <span>Note</span>
        <textarea rows={3} maxLength={2000} placeholder="Optional: what your team should know" value={note.value} onInput={(event) => (note.value = event.currentTarget.value)} />
      </label>
      <p class="dialog-words">Everybody on your team sees contacts, and may change them.</p>
      {contact && admin ? (
        <p class="dialog-words">
          <button type="button" class="link-button" onClick={() => also("merge")}>
            Merge with another contact…
          </button>{" "}
          <button type="button" class="link-button" onClick={() => also("delete")}>
            Delete contact…
          </button>
        </p>
      ) : null}
    </FormDialog>
  );
}

export function ContactDialog(props: Props): JSX.Element {
  const also = useSignal<Also>("");
  const { contact, onDone, onClose } = props;
  if (contact && also.value === "merge") return <MergeDialog into={contact} onDone={onDone} onClose={onClose} />;
  if (contact && also.value === "delete") {
    return (
      <Confirm
        label="Delete contact"
        words={`${contact.name} is deleted. Conversations stay, and show the number again.`}
        button="Delete"
        act={() => deleteContact(contact.id)}
        onDone={() => onDone?.()}
        onClose={onClose}
      />
    );
  }
  return <Fields {...props} also={(what) => (also.value = what)} />;
}

/** The card of whose number it is, or of who shall have it. */
export function ContactCard({ number, onClose }: { number: string; onClose: () => void }): JSX.Element {
  const found = useSignal<Contact | null | undefined>(undefined);
  const problem = useSignal("");
  useEffect(() => {
    holder(number).then(
      (contact) => (found.value = contact ?? null),
      (error: unknown) => (problem.value = wordsOf(error)),
    );
  }, [number]);
  if (found.value !== undefined) return <ContactDialog contact={found.value} number={number} onClose={onClose} />;
  return (
    <Dialog label="Contact" onClose={onClose}>
      {problem.value ? (
        <p class="problem" role="alert">
          {problem.value}
        </p>
      ) : (
        <p class="dialog-words">Loading the contact…</p>
      )}
    </Dialog>
  );
}
