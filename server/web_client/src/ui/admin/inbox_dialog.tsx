/** Adding an inbox, and changing one. */
import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { say } from "../toasts";
import { Checks } from "./checks";
import { FormDialog, type Done } from "./form_dialog";
import { addInbox, changeInbox, type Teammate } from "./routing_api";
import { inboxChange, inboxProblem, KINDS, type AdminInbox, type Destination } from "./routing_words";

interface Props {
  /** The one to change; null for a new one. */
  readonly inbox: AdminInbox | null;
  readonly team: readonly Teammate[];
  readonly onDone: Done;
  readonly onClose: () => void;
}

export function InboxDialog({ inbox, team, onDone, onClose }: Props): JSX.Element {
  const name = useSignal(inbox?.name ?? "");
  const kind = useSignal<Destination>(inbox?.kind ?? "department");
  const extension = useSignal(inbox?.extension ?? "");
  const members = useSignal<readonly string[]>(inbox?.members ?? []);
  const options = team
    .filter(({ id, active }) => active || members.peek().includes(id))
    .map((one) => ({ id: one.id, label: one.bot ? `${one.name} (bot)` : one.name }))
    .sort((a, b) => a.label.localeCompare(b.label));
  const goes = (inbox?.members ?? []).some((id) => !members.value.includes(id));
  const act = async (): Promise<void> => {
    const typed = { name: name.peek().trim(), kind: kind.peek(), extension: extension.peek().trim(), members: members.peek() };
    if (inbox) await changeInbox(inbox.id, inboxChange(inbox, typed));
    else await addInbox(typed);
    say(inbox ? `${typed.name} is changed.` : `${typed.name} is added.`);
    await onDone();
  };
  return (
    <FormDialog
      label={inbox ? "Edit inbox" : "Add inbox"}
      button={inbox ? "Save" : "Add inbox"}
      check={() => inboxProblem(name.peek(), extension.peek())}
      act={act}
      onClose={onClose}
    >
      <label class="field">
        <span>Name</span>
        <input type="text" data-first maxLength={120} autocomplete="off" placeholder="Service desk" value={name.value} onInput={(event) => (name.value = event.currentTarget.value)} />
      </label>
      <div class="field-row">
        <label class="field">
          <span>Kind</span>
          <select value={kind.value} onChange={(event) => (kind.value = event.currentTarget.value as Destination)}>
            {KINDS.map(([id, label]) => (
              <option key={id} value={id}>
                {label}
              </option>
            ))}
          </select>
        </label>
        <label class="field">
          <span>Extension</span>
          <input type="text" inputMode="numeric" maxLength={10} autocomplete="off" placeholder="Optional" value={extension.value} onInput={(event) => (extension.value = event.currentTarget.value)} />
        </label>
      </div>
      <Checks label="Members" options={options} chosen={members} none="Nobody chosen: only admins see it." />
      {goes ? <p class="field-hint">Conversations of whoever is taken out return to the inbox.</p> : null}
    </FormDialog>
  );
}
