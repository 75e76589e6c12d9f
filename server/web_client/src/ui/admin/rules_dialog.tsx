/** The rules of one inbox, each with what it does. */
import { useSignal, type Signal } from "@preact/signals";
import type { JSX } from "preact";
import { useId } from "preact/hooks";
import { say } from "../toasts";
import { FormDialog, type Done } from "./form_dialog";
import { changeInbox } from "./routing_api";
import type { AdminInbox } from "./routing_words";
import { minutes, REOPENS, rulesChange, rulesProblem, TEXT_MAX, TEXTS, type ReopenTo, type Rules, type Texts } from "./rules_words";

function Minutes({ label, about, value }: { label: string; about: string; value: Signal<string> }): JSX.Element {
  const id = useId();
  return (
    <div>
      <label class="field">
        <span>{label}</span>
        <input
          type="text"
          inputMode="numeric"
          maxLength={5}
          autocomplete="off"
          aria-describedby={id}
          value={value.value}
          onInput={(event) => (value.value = event.currentTarget.value)}
        />
      </label>
      <p class="field-hint" id={id}>
        {about}
      </p>
    </div>
  );
}

function Answers({ texts }: { texts: Signal<Texts> }): JSX.Element {
  return (
    <fieldset class="checks rules-answers">
      <legend>Automatic answers</legend>
      <p class="field-hint">Sent to who texts these words, unless the carrier answers by itself. Empty: a default text with your organisation's name.</p>
      {TEXTS.map(([name, label, about]) => (
        <label key={name} class="field">
          <span>{label}</span>
          <textarea
            rows={2}
            maxLength={TEXT_MAX}
            placeholder={about}
            value={texts.value[name]}
            onInput={(event) => (texts.value = { ...texts.peek(), [name]: event.currentTarget.value })}
          />
        </label>
      ))}
    </fieldset>
  );
}

interface Props {
  readonly inbox: AdminInbox;
  readonly onDone: Done;
  readonly onClose: () => void;
}

export function RulesDialog({ inbox, onDone, onClose }: Props): JSX.Element {
  const { options } = inbox;
  const reopens = useSignal<ReopenTo>(options.reopen_to);
  const dispatch = useSignal(options.members_may_dispatch);
  const silent = useSignal(String(options.silent_min));
  const offline = useSignal(String(options.offline_min));
  const texts = useSignal<Texts>(options);
  const act = async (): Promise<void> => {
    const { stop_text, start_text, help_text } = texts.peek();
    const typed: Rules = {
      reopen_to: reopens.peek(),
      members_may_dispatch: dispatch.peek(),
      silent_min: minutes(silent.peek()) ?? 0,
      offline_min: minutes(offline.peek()) ?? 0,
      stop_text: stop_text.trim(),
      start_text: start_text.trim(),
      help_text: help_text.trim(),
    };
    await changeInbox(inbox.id, { options: rulesChange(options, typed) });
    say(`The rules of ${inbox.name} are changed.`);
    await onDone();
  };
  return (
    <FormDialog label={`Rules of ${inbox.name}`} button="Save" check={() => rulesProblem(silent.peek(), offline.peek())} act={act} onClose={onClose}>
      <label class="field">
        <span>When a customer writes again after Done</span>
        <select data-first value={reopens.value} onChange={(event) => (reopens.value = event.currentTarget.value as ReopenTo)}>
          {REOPENS.map(([id, label]) => (
            <option key={id} value={id}>
              {label}
            </option>
          ))}
        </select>
      </label>
      <div class="check">
        <label>
          <input type="checkbox" aria-describedby="about-dispatch" checked={dispatch.value} onChange={(event) => (dispatch.value = event.currentTarget.checked)} />
          Members may assign to colleagues
        </label>
        <p id="about-dispatch">What is unassigned. Off: only admins hand it out.</p>
      </div>
      <Minutes label="Minutes without an answer" about="An owner who leaves a customer waiting so long loses the conversation to the inbox. 0: never." value={silent} />
      <Minutes label="Minutes offline" about="An owner without any connection for so long loses what waits for an answer. 0: never." value={offline} />
      <Answers texts={texts} />
    </FormDialog>
  );
}
