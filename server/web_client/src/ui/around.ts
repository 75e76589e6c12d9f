/** Which stretch of a conversation is shown: its newest end, or what the address leads to. */
import { useMemo } from "preact/hooks";
import type { Past, Thread } from "../contract";
import { useStore } from "./context";
import { route } from "./route";

export interface Shown {
  readonly thread: Thread;
  /** The same, where it is away from the newest end. */
  readonly past: Past | null;
  /** The line to bring into sight, 0 for none. */
  readonly line: number;
}

/** The line the address names is looked for in what is loaded, and read with what is around it if it is not there. */
export function useShown(thread: Thread): Shown {
  const store = useStore();
  const { conv, line } = route.value;
  const known = thread.lines.value;
  const ready = line > 0 && (known.length > 0 || !thread.loading.value);
  const past = useMemo(() => {
    if (!ready || known.some(({ n }) => n === line)) return null;
    return store.around(conv, line);
  }, [store, conv, line, ready]);
  const failed = past !== null && !past.loading.value && past.lines.value.length === 0;
  return failed || !past ? { thread, past: null, line: ready ? line : 0 } : { thread: past, past, line };
}
