/** What somebody types, once they pause. */
import { useEffect, useState } from "preact/hooks";

const PAUSE_MS = 150;

/** `words` as they have stood for a moment; nothing is waited for at first. */
export function useSettled(words: string, ms = PAUSE_MS): string {
  const [settled, settle] = useState(words);
  useEffect(() => {
    const timer = setTimeout(() => settle(words), ms);
    return () => clearTimeout(timer);
  }, [words, ms]);
  return settled;
}
