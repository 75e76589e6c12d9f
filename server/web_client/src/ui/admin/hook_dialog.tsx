/** Adding a webhook, or changing one. */
import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { useStore } from "../context";
import { Checks } from "./checks";
import { FormDialog } from "./form_dialog";
import { addressProblem, type Hook, type HookEvent } from "./hook_words";
import { addHook, changeHook } from "./hooks_api";

interface Props {
  /** The one to change; null for a new one. */
  readonly hook: Hook | null;
  readonly events: readonly HookEvent[];
  /** With the secret of a new one, "" otherwise. */
  readonly onDone: (secret: string) => Promise<void>;
  readonly onClose: () => void;
}

export function HookDialog({ hook, events, onDone, onClose }: Props): JSX.Element {
  const store = useStore();
  const url = useSignal(hook?.url ?? "");
  const label = useSignal(hook?.label ?? "");
  const chosen = useSignal<readonly string[]>(hook?.events ?? []);
  const inboxes = useSignal<readonly string[]>(hook?.inboxes ?? []);
  const act = async (): Promise<void> => {
    const body = { url: url.peek().trim(), label: label.peek().trim(), events: chosen.peek(), inboxes: inboxes.peek() };
    if (hook) {
      await changeHook(hook.id, body);
      await onDone("");
    } else await onDone((await addHook(body)).secret);
  };
  return (
    <FormDialog label={hook ? "Edit webhook" : "Add webhook"} button={hook ? "Save" : "Add webhook"} check={() => addressProblem(url.peek())} act={act} onClose={onClose} wide>
      <label class="field">
        <span>Address</span>
        <input type="url" data-first autocomplete="off" spellcheck={false} placeholder="https://example.com/batonbox" value={url.value} onInput={(event) => (url.value = event.currentTarget.value)} />
      </label>
      <label class="field">
        <span>Label</span>
        <input type="text" maxLength={100} autocomplete="off" placeholder="Optional: what receives them" value={label.value} onInput={(event) => (label.value = event.currentTarget.value)} />
      </label>
      <Checks label="Events" options={events.map(({ name, says }) => ({ id: name, label: name, about: says }))} chosen={chosen} none="None chosen: all events are sent, also those of later versions." />
      <Checks label="Inboxes" options={store.inboxes.value.map(({ id, name }) => ({ id, label: name }))} chosen={inboxes} none="None chosen: those of all inboxes are sent." />
    </FormDialog>
  );
}
