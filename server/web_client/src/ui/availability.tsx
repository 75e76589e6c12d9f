/** Being away, and being back. */
import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { useEffect } from "preact/hooks";
import "../styles/availability.css";
import type { Outcome, Store } from "../contract";
import { online, stayHere } from "./acts";
import { blocked, useStore } from "./context";
import { Dialog } from "./dialog";
import { closeDialog, openDialog } from "./dialog_state";
import { awayWords } from "./away_words";
import { PresenceDot } from "./presence";
import { refusalWords } from "./refusals";
import { say } from "./toasts";

const BACK = "You are available again.";

export async function comeBack(store: Store): Promise<void> {
  if (online(store) && (await store.setAway(false, false)).ok) say(BACK);
}

/** Over the whole page, as long as it is so. */
export function AwayStrip(): JSX.Element | null {
  const store = useStore();
  const { away, release } = store.availability.value;
  const why = blocked(store);
  const said = useSignal("");
  // Into a place that is there already: only then is it read out.
  useEffect(() => {
    said.value = awayWords(release);
  }, [release]);
  if (!away) return null;
  return (
    <section class="away-strip" aria-label="You are away">
      <PresenceDot state="away" />
      <p role="status">{said.value}</p>
      <button
        type="button"
        class="button button-small"
        aria-disabled={why ? "true" : undefined}
        title={why || undefined}
        onClick={() => {
          void comeBack(store);
          if (!why) stayHere();
        }}
      >
        I am back
      </button>
    </section>
  );
}

/** On the page of settings: the way there on narrow screens, too. */
export function AvailabilitySetting(): JSX.Element {
  const store = useStore();
  const { away, release } = store.availability.value;
  const why = away ? blocked(store) : "";
  return (
    <section aria-labelledby="settings-availability">
      <h2 id="settings-availability">Availability</h2>
      <p class="availability-now">
        <PresenceDot state={away ? "away" : "online"} words={away ? "away" : "available"} />
        {away ? awayWords(release) : "You are available."}
      </p>
      <div class="setting-buttons">
        <button
          type="button"
          class="button"
          aria-disabled={why ? "true" : undefined}
          title={why || undefined}
          onClick={() => (away ? void comeBack(store) : openDialog({ kind: "availability" }))}
        >
          {away ? "I am back" : "Set as away…"}
        </button>
      </div>
    </section>
  );
}

export function AvailabilityDialog(): JSX.Element {
  const store = useStore();
  const { away, release } = store.availability.value;
  const gives = useSignal(true);
  const problem = useSignal("");
  const busy = useSignal(false);
  const act = async (asked: () => Promise<Outcome>): Promise<void> => {
    if (busy.peek() || !online(store)) return;
    busy.value = true;
    const outcome = await asked();
    busy.value = false;
    if (outcome.ok) {
      closeDialog();
      if (was.away) say(BACK);
    } else problem.value = refusalWords(outcome.slug, outcome.message);
  };
  // What it was when it opened: the words stay until it closes.
  const was = useSignal({ away, release }).value;
  return (
    <Dialog label={was.away ? "You are away" : "Set as away"}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          void act(() => (was.away ? store.setAway(false, false) : store.setAway(true, gives.peek())));
        }}
      >
        <p class="dialog-words">
          {was.away
            ? `Colleagues see that you are away. ${was.release ? "Customers' next messages go back to the inbox." : "Customers' messages wait for you."}`
            : "Colleagues see that you are away. You can still read and write."}
        </p>
        {was.away ? null : (
          <div class="setting">
            <label>
              <input
                type="checkbox"
                aria-describedby="about-release"
                checked={gives.value}
                onChange={(event) => (gives.value = event.currentTarget.checked)}
              />
              Give customers' next messages back to the inbox
            </label>
            <p id="about-release">A conversation of yours goes back when its customer writes. Off: it waits for you.</p>
          </div>
        )}
        {problem.value ? (
          <p class="problem" role="alert">
            {problem.value}
          </p>
        ) : null}
        <footer class="dialog-foot">
          <button type="button" class="button" onClick={closeDialog}>
            {was.away ? "Close" : "Cancel"}
          </button>
          <button type="submit" class="button button-primary" data-first aria-disabled={busy.value}>
            {was.away ? "I am back" : "Set as away"}
          </button>
        </footer>
      </form>
    </Dialog>
  );
}
