/** The time as signals, for what changes by itself: nothing runs while nobody reads them. */
import { signal } from "@preact/signals";

function ticking(everyMs: number) {
  let timer: ReturnType<typeof setInterval> | undefined;
  const kept = signal(Date.now(), {
    watched() {
      kept.value = Date.now();
      timer = setInterval(() => (kept.value = Date.now()), everyMs);
    },
    unwatched() {
      clearInterval(timer);
    },
  });
  return kept;
}

/** Moves every half minute. */
export const minute = ticking(30_000);

/** Moves four times a second. */
export const moment = ticking(250);
