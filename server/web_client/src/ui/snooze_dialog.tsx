/** Putting a conversation aside: the usual times, and any other. */
import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import "../styles/availability.css";
import { online } from "./acts";
import { customerName, useStore } from "./context";
import { Dialog } from "./dialog";
import { closeDialog } from "./dialog_state";
import { refusalWords } from "./refusals";
import { choiceWords, fieldValue, snoozeTimes, SNOOZE_MAX_MS, timeProblem } from "./snooze_times";
import { minute } from "./time";

export function SnoozeDialog({ conv }: { conv: string }): JSX.Element {
  const store = useStore();
  const view = store.conversation(conv).value;
  const nowMs = minute.value;
  const times = snoozeTimes(nowMs);
  const own = useSignal(fieldValue(times.find(({ id }) => id === "tomorrow")?.atMs ?? nowMs));
  const problem = useSignal("");
  const until = async (atMs: number): Promise<void> => {
    if (!online(store)) return;
    const outcome = await store.snooze(conv, atMs);
    if (outcome.ok) closeDialog();
    else problem.value = refusalWords(outcome.slug, outcome.message);
  };
  const submit = (event: Event): void => {
    event.preventDefault();
    problem.value = timeProblem(own.peek(), Date.now());
    if (!problem.peek()) void until(new Date(own.peek()).getTime());
  };
  return (
    <Dialog label="Snooze">
      <form noValidate onSubmit={submit}>
        <p class="dialog-words">
          {view ? `${customerName(store, view.row.customer)} stays yours and rests until then, or until the customer writes.` : ""}
        </p>
        <div class="snooze-times" role="group" aria-label="Snooze until">
          {times.map(({ id, label, atMs }, place) => (
            <button key={id} type="button" class="snooze-time" data-first={place === 0 ? "" : undefined} onClick={() => void until(atMs)}>
              <span>{label}</span>
              <span class="snooze-moment">{choiceWords(atMs, nowMs)}</span>
            </button>
          ))}
        </div>
        <label class="field">
          <span>Date and time</span>
          <input
            type="datetime-local"
            min={fieldValue(nowMs)}
            max={fieldValue(nowMs + SNOOZE_MAX_MS)}
            value={own.value}
            onInput={(event) => (own.value = event.currentTarget.value)}
          />
        </label>
        {problem.value ? (
          <p class="problem" role="alert">
            {problem.value}
          </p>
        ) : null}
        <footer class="dialog-foot">
          <button type="button" class="button" onClick={closeDialog}>
            Cancel
          </button>
          <button type="submit" class="button button-primary">
            Snooze
          </button>
        </footer>
      </form>
    </Dialog>
  );
}
