/** How far a message of ours has come: a clock, one tick, two ticks, or why it failed. */
import type { JSX } from "preact";
import type { Line } from "../contract";
import { online, stayHere } from "./acts";
import { Hidden } from "./bits";
import { useStore } from "./context";
import { ClockIcon } from "./icons";
import { AlertIcon, TickIcon, TicksIcon } from "./more_icons";
import { deliveryWords } from "./thread_words";

const ICONS: Readonly<Record<string, () => JSX.Element>> = {
  sending: ClockIcon,
  waiting: ClockIcon,
  queued: ClockIcon,
  sent: TickIcon,
  delivered: TicksIcon,
  failed: AlertIcon,
};
/** What a mark alone does not say. */
const SPELT = new Set(["waiting", "failed"]);

interface Props {
  readonly line: Line;
  readonly conv: string;
  /** The one after it in its group. */
  readonly next: Line | undefined;
}

export function Delivery({ line, conv, next }: Props): JSX.Element | null {
  const store = useStore();
  const { state } = line;
  const Mark = ICONS[state];
  // Of a run of delivered messages the last one says it.
  if (!Mark || ((state === "sent" || state === "delivered") && next?.state === state)) return null;
  const words = deliveryWords(line);
  const spelt = SPELT.has(state);
  const view = state === "failed" && line.n > 0 ? store.conversation(conv).value : undefined;
  const again = view?.flag === "mine" && !view.row.opted_out;
  return (
    <p class={`delivery delivery-${state}`} data-state={state} title={spelt ? undefined : words}>
      <Mark />
      {spelt ? <span>{words}</span> : <Hidden>{words}</Hidden>}
      {again ? (
        <button
          type="button"
          class="link-button"
          onClick={() => {
            if (!online(store)) return;
            void store.retry(conv, line.n);
            stayHere();
          }}
        >
          Try again
        </button>
      ) : null}
    </p>
  );
}
