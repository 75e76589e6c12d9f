/** Who else looks at a conversation, and who types there. */
import type { JSX } from "preact";
import { useEffect, useMemo, useState } from "preact/hooks";
import { typingWords } from "./away_words";
import { nameOf, useStore } from "./context";

/** So often at most it is read out. */
const AGAIN_MS = 5_000;

/** The newest of what changes too often to be said each time. */
function useThrottled(words: string): string {
  const [said, say] = useState(words);
  const [atMs, setAtMs] = useState(0);
  useEffect(() => {
    if (words === said) return;
    const timer = setTimeout(
      () => {
        say(words);
        setAtMs(Date.now());
      },
      Math.max(0, atMs + AGAIN_MS - Date.now()),
    );
    return () => clearTimeout(timer);
  }, [words, said, atMs]);
  return said;
}

export function OthersHere({ conv }: { conv: string }): JSX.Element {
  const store = useStore();
  const who = useMemo(() => store.watchers(conv), [store, conv]).value;
  const names = [...who.keys()].map((id) => nameOf(store, id)).sort((a, b) => a.localeCompare(b));
  const typing = [...who].filter(([, what]) => what === "typing").map(([id]) => nameOf(store, id));
  const words = [names.length ? `viewing: ${names.join(", ")}` : "", typingWords(typing.sort((a, b) => a.localeCompare(b)))].filter(Boolean);
  const said = useThrottled(words.join(". "));
  return (
    <>
      {words.map((part, at) => (
        <span key={at} class={at || !names.length ? "thread-typing" : "thread-viewing"} aria-hidden="true">
          {part}
        </span>
      ))}
      <span class="hidden-text" aria-live="polite">
        {said}
      </span>
    </>
  );
}
