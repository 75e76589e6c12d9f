/** Asking for what a part of the page needs until there is an answer. */
import { Problem } from "./admin/api";
import { PAUSES_MS } from "./fetched";

/** Refusals after which the same question can be answered (docs/reference/errors.md), and no connection at all. */
const PASSING: ReadonlySet<string> = new Set(["internal", "offline", "rate_limited", "unavailable"]);

/** Asks again with growing pauses, the last one for ever; what is refused for good is not asked again. Returns how to stop. */
export function untilAnswered<T>(ask: () => Promise<T>, answered: (found: T) => void): () => void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let ended = false;
  const next = (round: number): void => {
    ask().then(
      (found) => {
        if (!ended) answered(found);
      },
      (error: unknown) => {
        if (ended || !(error instanceof Problem) || !PASSING.has(error.code)) return;
        timer = setTimeout(next, PAUSES_MS[round] ?? PAUSES_MS.at(-1), round + 1);
      },
    );
  };
  next(0);
  return () => {
    ended = true;
    clearTimeout(timer);
  };
}
