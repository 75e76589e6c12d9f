/** Giving an inbox a number: one that is there, or a new one. */
import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { useEffect } from "preact/hooks";
import { toE164 } from "../e164";
import { phoneNumber } from "../format";
import { say } from "../toasts";
import { FormDialog } from "./form_dialog";
import { Choice, newCarrierOptions, NumberInput } from "./number_fields";
import { whole, usePages } from "./paging";
import { carriers, changeNumber, numbers, putNumber } from "./routing_api";
import { deliversWords, numberProblem, type AdminInbox, type PhoneNumber } from "./routing_words";

const NEW = "new";

interface Props {
  readonly inbox: AdminInbox;
  readonly inboxes: readonly AdminInbox[];
  readonly onDone: () => void;
  readonly onClose: () => void;
}

/** Those that deliver nowhere first; a number that moves says from where. */
function options(all: readonly PhoneNumber[], to: AdminInbox, inboxes: readonly AdminInbox[]): readonly (readonly [string, string])[] {
  const from = (id: string): string => inboxes.find((one) => one.id === id)?.name ?? id;
  const others = all.filter(({ inbox }) => inbox !== to.id).sort((a, b) => Number(a.inbox !== null) - Number(b.inbox !== null));
  return [...others.map(({ number, inbox }) => [number, inbox ? `${phoneNumber(number)} (moves from ${from(inbox)})` : phoneNumber(number)] as const), [NEW, "A new number"]];
}

export function AssignNumber({ inbox, inboxes, onDone, onClose }: Props): JSX.Element {
  const found = usePages(() => whole(numbers()));
  const known = usePages(() => whole(carriers()));
  const picked = useSignal("");
  const typed = useSignal("");
  const carrier = useSignal<string | null>(null);
  useEffect(() => {
    found.reload();
    known.reload();
  }, []);
  const all = found.all ?? [];
  const free = all.find((one) => one.inbox === null && one.messaging)?.number;
  const chosen = picked.value || free || NEW;
  const accounts = known.all ?? [];
  const named = carrier.value ?? (accounts.length === 1 ? (accounts[0]?.id ?? "") : "");
  const off = all.find(({ number, messaging }) => number === chosen && !messaging);
  const act = async (): Promise<void> => {
    const fields = { inbox: inbox.id, messaging: true };
    const made =
      chosen === NEW ? await putNumber(toE164(typed.peek()), { ...fields, ...(named ? { carrier: named } : {}) }) : await changeNumber(chosen, fields);
    say(deliversWords(made, inbox.name, made.kept));
    onDone();
  };
  const check = (): string => {
    if (chosen !== NEW) return "";
    const there = all.some(({ number }) => number === toE164(typed.peek()));
    return there ? "This number is there already. Choose it above." : numberProblem(typed.peek());
  };
  return (
    <FormDialog label={`Assign a number to ${inbox.name}`} button="Assign" check={check} act={act} onClose={onClose}>
      {found.problem ? <p class="problem">{found.problem}</p> : null}
      <Choice label="Number" value={chosen} onPick={(id) => (picked.value = id)} options={options(all, inbox, inboxes)} first />
      {chosen === NEW ? (
        <>
          <NumberInput value={typed} />
          <Choice label="Carrier" value={named} onPick={(id) => (carrier.value = id)} options={newCarrierOptions(accounts)} />
        </>
      ) : null}
      {off ? <p class="field-hint">Messaging is off for this number. It is switched on.</p> : null}
      {inbox.live ? null : <p class="field-hint">With it the inbox comes into being: its members see it at once.</p>}
    </FormDialog>
  );
}
