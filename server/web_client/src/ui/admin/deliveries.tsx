/** What a webhook was sent, how that went, and sending it again. */
import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { useEffect } from "preact/hooks";
import { inboxName, useStore } from "../context";
import { say } from "../toasts";
import { deliveryWords, type Delivery, type Hook } from "./hook_words";
import { deliveries, resend } from "./hooks_api";
import { Pages, usePages } from "./paging";
import { When } from "./when";
import { wordsOf } from "./api";
import { complain } from "../toasts";

const FILTERS = [
  ["", "All"],
  ["failed", "Failed"],
  ["retrying", "Retrying"],
] as const;
const STATES = { delivered: "Delivered", failed: "Failed", retrying: "Retrying" } as const;

function Row({ one, onResend, busy }: { one: Delivery; onResend: () => void; busy: boolean }): JSX.Element {
  const store = useStore();
  return (
    <tr>
      <td class="cell-time">
        <When at={one.at} exact />
      </td>
      <th scope="row">
        {one.event}
        {one.inbox ? <span class="cell-aside">{inboxName(store, one.inbox)}</span> : null}
      </th>
      <td>
        <span class={`state state-${one.state}`}>{STATES[one.state] ?? one.state}</span>
      </td>
      <td class="cell-number">{one.attempts}</td>
      <td class="cell-wide">{deliveryWords(one)}</td>
      <td class="cell-acts">
        <button type="button" class="button button-small" aria-disabled={busy} aria-label={`Resend ${one.event} ${one.id}`} onClick={onResend}>
          Resend
        </button>
      </td>
    </tr>
  );
}

/** `fresh`: changes when something was sent by hand, and the list has to be read anew. */
export function Deliveries({ hook, fresh }: { hook: Hook; fresh: number }): JSX.Element {
  const state = useSignal("");
  const busy = useSignal("");
  const found = usePages((cursor) => deliveries(hook.id, state.peek(), cursor));
  useEffect(found.reload, [hook.id, fresh, state.value]);
  const again = async (one: Delivery): Promise<void> => {
    if (busy.peek()) return;
    busy.value = one.id;
    try {
      const made = await resend(hook.id, one.id);
      say(`${STATES[made.state]}: ${deliveryWords(made)}.`);
    } catch (error) {
      complain(wordsOf(error));
    }
    busy.value = "";
    found.reload();
  };
  return (
    <section aria-label="Deliveries">
      <div class="table-tools">
        <h3>Deliveries</h3>
        <div class="segmented" role="group" aria-label="Which deliveries">
          {FILTERS.map(([value, label]) => (
            <button key={value} type="button" aria-pressed={state.value === value} onClick={() => (state.value = value)}>
              {label}
            </button>
          ))}
        </div>
      </div>
      <Pages of={found} what="deliveries" more="Show older" empty={state.value ? `No ${state.value} deliveries.` : "Nothing has been sent yet. Send a test to see whether the receiver answers."}>
        {(all) => (
          <div class="table-box">
            <table class="table">
              <caption class="hidden-text">Deliveries, newest first</caption>
              <thead>
                <tr>
                  <th scope="col">When</th>
                  <th scope="col">Event</th>
                  <th scope="col">State</th>
                  <th scope="col" class="cell-number">Attempts</th>
                  <th scope="col">Answer</th>
                  <th scope="col">
                    <span class="hidden-text">Actions</span>
                  </th>
                </tr>
              </thead>
              <tbody>
                {all.map((one) => (
                  <Row key={one.id} one={one} busy={busy.value !== ""} onResend={() => void again(one)} />
                ))}
              </tbody>
            </table>
          </div>
        )}
      </Pages>
    </section>
  );
}
