/** What floats above the page: toasts, and what is wrong with the connection. */
import type { JSX } from "preact";
import { useStore } from "./context";
import { Toasts } from "./parts";
import { moment } from "./time";
import { holdToasts, releaseToasts, toasts } from "./toasts";

export function Notifications(): JSX.Element {
  return (
    <section class="toasts" aria-label="Notifications" onPointerEnter={holdToasts} onPointerLeave={releaseToasts} onFocusIn={holdToasts} onFocusOut={releaseToasts}>
      <ul aria-live="polite" aria-relevant="additions text">
        {toasts.value.length ? <Toasts /> : null}
      </ul>
    </section>
  );
}

/** Counts down by itself; only this line is rendered anew. */
function Countdown({ untilMs }: { untilMs: number }): JSX.Element {
  const left = Math.max(0, Math.ceil((untilMs - moment.value) / 1000));
  return <span>{left > 0 ? `Reconnecting in ${left} s. You can read, not send.` : "Reconnecting… You can read, not send."}</span>;
}

function words(store: ReturnType<typeof useStore>): JSX.Element | null {
  const link = store.link.value;
  switch (link.state) {
    case "waiting":
      return (
        <>
          <Countdown untilMs={link.retryAtMs} />
          <button type="button" class="button button-small" onClick={() => store.reconnectNow()}>
            Now
          </button>
        </>
      );
    case "offline":
      return <span>You are offline. You can read, not send.</span>;
    case "stopped":
      return (
        <>
          <span>{link.reason || "The server ended this connection."}</span>
          <button type="button" class="button button-small" onClick={() => location.reload()}>
            Reload
          </button>
        </>
      );
    case "connecting":
      // The first time the empty page says it; later it is a matter of a moment.
      return store.ready.value ? <span>Reconnecting… You can read, not send.</span> : null;
    default:
      return store.degraded.value ? <span>The server's store is unreachable. You can read; changes wait until it is back.</span> : null;
  }
}

export function ConnectionPill(): JSX.Element {
  const store = useStore();
  const content = words(store);
  return (
    <div class={content ? "pill floating" : "pill pill-empty"} role="status" aria-label="Connection">
      {content}
    </div>
  );
}
