/** Asking again and again, only while somebody can see the answer. */
import { visible } from "../screen";

/** One question at a time, the next `everyMs` after an answer; returns how to stop. `ask` never rejects. */
export function pollWhileVisible(everyMs: number, ask: () => Promise<void>): () => void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let asking = false;
  let ended = false;
  const next = (): void => {
    clearTimeout(timer);
    if (asking || ended || !visible.peek()) return;
    asking = true;
    void ask().finally(() => {
      asking = false;
      if (!ended && visible.peek()) timer = setTimeout(next, everyMs);
    });
  };
  const unwatch = visible.subscribe(next);
  return () => {
    ended = true;
    clearTimeout(timer);
    unwatch();
  };
}
