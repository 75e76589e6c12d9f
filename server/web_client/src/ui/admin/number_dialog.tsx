/** Adding a number, and changing one: its carrier, its messaging, where it delivers. */
import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { toE164 } from "../e164";
import { phoneNumber } from "../format";
import { say } from "../toasts";
import { FormDialog, type Done } from "./form_dialog";
import { carrierOptions, Choice, inboxOptions, newCarrierOptions, NumberInput } from "./number_fields";
import { changeNumber, putNumber, type Named } from "./routing_api";
import { deliversWords, numberProblem, type AdminInbox, type PhoneNumber } from "./routing_words";

interface Props {
  /** The one to change; null for a new one. */
  readonly number: PhoneNumber | null;
  readonly known: readonly PhoneNumber[];
  readonly carriers: readonly Named[];
  readonly inboxes: readonly AdminInbox[];
  readonly onDone: Done;
  readonly onClose: () => void;
}

/** A carrier that is not set up here stays until another is chosen. */
const usable = (carriers: readonly Named[], now: string): readonly Named[] =>
  now && !carriers.some(({ id }) => id === now) ? [{ id: now, name: `${now} (not set up here)` }, ...carriers] : carriers;

export function NumberDialog({ number, known, carriers, inboxes, onDone, onClose }: Props): JSX.Element {
  const typed = useSignal("");
  const picked = useSignal<string | null>(number?.carrier ?? null);
  const carrier = picked.value ?? (carriers.length === 1 ? (carriers[0]?.id ?? "") : "");
  const messaging = useSignal(number?.messaging ?? true);
  const inbox = useSignal(number?.inbox ?? "");
  const check = (): string => {
    if (number) return "";
    const there = known.some((one) => one.number === toE164(typed.peek()));
    return there ? "This number is there already. Edit it in the list." : numberProblem(typed.peek());
  };
  const act = async (): Promise<void> => {
    const fields = { messaging: messaging.peek(), inbox: inbox.peek() || null };
    const named = { ...fields, ...(carrier && carrier !== number?.carrier ? { carrier } : {}) };
    const made = number ? await changeNumber(number.number, named) : await putNumber(toE164(typed.peek()), named);
    const where = inboxes.find(({ id }) => id === made.inbox)?.name;
    say(deliversWords(made, where, made.kept));
    await onDone();
  };
  return (
    <FormDialog label={number ? `Edit ${phoneNumber(number.number)}` : "Add number"} button={number ? "Save" : "Add number"} check={check} act={act} onClose={onClose}>
      {number ? null : <NumberInput value={typed} first />}
      <Choice label="Delivers to" value={inbox.value} onPick={(id) => (inbox.value = id)} options={inboxOptions(inboxes, "Nowhere yet")} first={number !== null} />
      <Choice label="Carrier" value={carrier} onPick={(id) => (picked.value = id)} options={number ? carrierOptions(usable(carriers, number.carrier)) : newCarrierOptions(carriers)} />
      <div class="check">
        <label>
          <input type="checkbox" checked={messaging.value} onChange={(event) => (messaging.value = event.currentTarget.checked)} />
          Messaging is on
        </label>
      </div>
      {number?.inbox && inbox.value !== number.inbox ? <p class="field-hint">Conversations stay where they are; new messages go the new way.</p> : null}
    </FormDialog>
  );
}
