/** Adding a bot: a team member that is a program. */
import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { useStore } from "../context";
import { Checks } from "./checks";
import { FormDialog } from "./form_dialog";
import { idFrom } from "./key_words";
import { addBot } from "./keys_api";

export function BotDialog({ onDone, onClose }: { onDone: (id: string) => void; onClose: () => void }): JSX.Element {
  const store = useStore();
  const name = useSignal("");
  const own = useSignal<string | null>(null);
  const inboxes = useSignal<readonly string[]>([]);
  const id = own.value ?? idFrom(name.value);
  const check = (): string => {
    if (!name.peek().trim()) return "Give the bot a name: it stands beside what the bot does.";
    return id ? "" : "Write an id of small letters, digits and dashes.";
  };
  return (
    <FormDialog
      label="Add bot"
      button="Add bot"
      check={check}
      act={async () => {
        await addBot(id, name.peek().trim(), inboxes.peek());
        onDone(id);
      }}
      onClose={onClose}
    >
      <label class="field">
        <span>Name</span>
        <input type="text" data-first maxLength={80} autocomplete="off" placeholder="Night desk" value={name.value} onInput={(event) => (name.value = event.currentTarget.value)} />
      </label>
      <label class="field">
        <span>Id</span>
        <input type="text" autocomplete="off" autocapitalize="none" spellcheck={false} value={id} onInput={(event) => (own.value = event.currentTarget.value)} />
      </label>
      <Checks label="Inboxes" options={store.inboxes.value.map(({ id: inbox, name: label }) => ({ id: inbox, label }))} chosen={inboxes} none="None chosen: it sees no inbox until it becomes a member of one." />
    </FormDialog>
  );
}
