/** Asking while somebody types: after a pause, and nothing that is outdated is shown. */
import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import type { Store } from "../contract";
import { wordsOf } from "./admin/api";
import { customerName, inboxName, nameOf } from "./context";
import { openDialog } from "./dialog_state";
import { focusSoon, places } from "./places";
import { refusalWords } from "./refusals";
import { go, opening, route } from "./route";
import { FIRST, moreMessages, search, WORDS_MAX, type Found } from "./search_api";
import { searchable, type Names, type Target } from "./search_model";
import { complain } from "./toasts";

const PAUSE_MS = 150;

export interface Search {
  /** For the words as they are now or were a moment ago; null before the first answer. */
  readonly found: Found | null;
  readonly problem: string;
  readonly busy: boolean;
  /** What is shown, or that nothing is, is of the words as they are now. */
  readonly current: boolean;
  /** Load more messages; null where there are no more. */
  readonly more: (() => void) | null;
}

type State = Omit<Search, "more" | "current"> & {
  /** For which it was found. */
  readonly words: string;
  /** Behind the messages that are shown; null: there are no more. */
  readonly cursor: string | null;
};

const IDLE: State = { words: "", found: null, problem: "", busy: false, cursor: null };

function withOlder(found: Found, older: Found, cursor: string): Found {
  const before = cursor ? found.messages : [];
  const known = new Set(before.map(({ conv, n }) => `${conv} ${n}`));
  return { ...found, messages: [...before, ...older.messages.filter(({ conv, n }) => !known.has(`${conv} ${n}`))] };
}

export function useSearch(typed: string): Search {
  const words = typed.trim().slice(0, WORDS_MAX);
  const state = useSignal(IDLE);
  const stop = useRef<AbortController | null>(null);
  const ask = (asked: (signal: AbortSignal) => Promise<Pick<State, "found" | "cursor">>): void => {
    const { signal } = (stop.current = new AbortController());
    state.value = { ...state.peek(), busy: true };
    asked(signal).then(
      (answer) => {
        if (!signal.aborted) state.value = { ...answer, words, problem: "", busy: false };
      },
      (error: unknown) => {
        if (!signal.aborted) state.value = { ...IDLE, words, problem: wordsOf(error) };
      },
    );
  };
  useEffect(() => {
    if (!searchable(words)) {
      state.value = IDLE;
      return;
    }
    const timer = setTimeout(
      () =>
        ask(async (signal) => {
          const found = await search(words, signal);
          return { found, cursor: found.messages.length < FIRST ? null : "" };
        }),
      PAUSE_MS,
    );
    return () => {
      clearTimeout(timer);
      stop.current?.abort();
    };
  }, [words]);
  const { found, problem, busy, cursor } = state.value;
  const more = (): void =>
    ask(async (signal) => {
      const older = await moreMessages(words, cursor ?? "", signal);
      return { found: found && withOlder(found, older, cursor ?? ""), cursor: older.next };
    });
  const current = !searchable(words) || state.value.words === words;
  return { found, problem, busy, current, more: found && cursor !== null && !busy ? more : null };
}

/** Names as the store knows them; subscribes to those that are asked for. */
export const namesIn = (store: Store): Names => ({
  customer: (number) => customerName(store, number),
  inbox: (id) => inboxName(store, id),
  person: (id) => nameOf(store, id),
  me: store.me.value?.id ?? "",
});

function openConversation(conv: string, done: boolean, line: number): void {
  const here = route.peek().page === "interactions" || conv.startsWith("~");
  const place = here ? ({ page: "interactions", kinds: "all", conv } as const) : { ...opening(conv), inbox: null, filter: done ? ("done" as const) : ("open" as const) };
  go({ ...place, line });
  if (!line) focusSoon(() => places.composer ?? places.log); // a line takes the focus by itself
}

async function openPerson(store: Store, user: string): Promise<void> {
  const outcome = await store.openDirect(user);
  if (outcome.ok) openConversation(outcome.conv, false, 0);
  else if (outcome.slug !== "offline") complain(refusalWords(outcome.slug, outcome.message));
}

/** Go to what was chosen. */
export function openTarget(store: Store, target: Target): void {
  switch (target.to) {
    case "conversation":
      return openConversation(target.conv, target.done, target.line);
    case "contact":
      return openDialog({ kind: "contact", number: target.number });
    case "contacts":
      return go({ page: "contacts" });
    case "channels":
      return openDialog({ kind: "browse_channels" });
    case "person":
      void openPerson(store, target.user);
  }
}
