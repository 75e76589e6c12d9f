/** The right pane: one conversation, or what to do to see one. */
import { effect, signal } from "@preact/signals";
import type { JSX } from "preact";
import { useEffect, useMemo } from "preact/hooks";
import type { ConversationView, Store } from "../contract";
import { choices, markDone } from "./acts";
import { Empty, Hidden, Key } from "./bits";
import { Composer } from "./composer";
import { blocked, inboxName, nameOf, useShared, useStore } from "./context";
import { phoneNumber } from "./format";
import { BackIcon, CheckIcon, FlagIcon } from "./icons";
import { Menu } from "./menu";
import { places } from "./places";
import { shortcuts } from "./prefs";
import { address, back, follow, route } from "./route";
import { panes, visible } from "./screen";
import { ThreadLog } from "./thread_log";
import { statusWords } from "./words";

/** So long somebody has to look before it counts as read: stepping through a list does not. */
const LOOK_MS = 350;

/** Tells the store while a person has the conversation before their eyes. */
function useLooking(store: Store, conv: string): void {
  useEffect(() => {
    const settled = signal(false);
    const timer = setTimeout(() => (settled.value = true), LOOK_MS);
    const stop = effect(() => {
      const view = store.conversation(conv).value;
      if (settled.value && visible.value && view && view.badge !== "none" && !view.pending) queueMicrotask(() => store.look(conv));
    });
    return () => {
      clearTimeout(timer);
      stop();
      store.leave(conv);
    };
  }, [store, conv]);
}

function toHistory(conv: string, store: Store): void {
  const { log } = places;
  log?.focus({ preventScroll: true });
  log?.scrollTo({ top: 0 });
  store.thread(conv).older();
}

function Head({ conv, view }: { conv: string; view: ConversationView }): JSX.Element {
  const store = useStore();
  const { row } = view;
  const history = { id: "history", label: "History", hint: "", run: () => toHistory(conv, store) };
  const mine = view.flag === "mine";
  return (
    <header class="thread-head">
      {panes.value === 1 ? (
        <button type="button" class="icon-button" aria-label="Back" title="Back" onClick={() => back({ conv: "" })}>
          <BackIcon />
        </button>
      ) : null}
      <div class="thread-title">
        <h2>
          <bdi>{phoneNumber(row.customer)}</bdi>
        </h2>
        <p class="thread-about">
          <span class={`status status-${row.status === "done" ? "done" : view.flag}`}>
            {view.flag === "none" ? null : <FlagIcon filled={mine} />}
            {statusWords(view, (id) => nameOf(store, id))}
          </span>
          <span class="thread-inbox">{inboxName(store, view.inbox)}</span>
          <span class="thread-our">
            <Hidden>our number </Hidden>
            {phoneNumber(row.our)}
          </span>
        </p>
      </div>
      <div class="thread-acts">
        {mine ? (
          <button type="button" class="button button-small" aria-disabled={blocked(store) ? "true" : undefined} title={blocked(store) || undefined} onClick={() => void markDone(store, conv)}>
            <CheckIcon />
            <span class="button-text">Mark as Done</span>
          </button>
        ) : null}
        <Menu label="More actions" choices={[...choices(store, conv, view), history]} />
      </div>
    </header>
  );
}

function Conversation({ conv }: { conv: string }): JSX.Element {
  const store = useStore();
  const thread = useMemo(() => store.thread(conv), [store, conv]);
  useLooking(store, conv);
  const view = store.conversation(conv).value;
  if (!view) {
    const known = store.ready.value && !thread.loading.value && thread.atStart.value;
    return known ? (
      <Empty title="This conversation is not here">It may have been removed, or you are not a member of its inbox.</Empty>
    ) : (
      <div class="thread-waiting" />
    );
  }
  return (
    <>
      <Head conv={conv} view={view} />
      <ThreadLog conv={conv} customer={view.row.customer} thread={thread} />
      <Composer conv={conv} view={view} thread={thread} />
    </>
  );
}

function NothingOpen(): JSX.Element {
  const { store, about } = useShared();
  const { unassigned } = store.totals.value;
  const phone = { page: "phone" } as const;
  return (
    <div class="empty">
      <p class="empty-title">{unassigned ? "Choose a conversation" : "Nothing waits"}</p>
      <p class="empty-text">
        {unassigned
          ? "Take one with Assign to Me, and the reply field is yours alone."
          : "When a customer texts one of your numbers, it appears under Unassigned."}
      </p>
      {shortcuts.value && unassigned ? (
        <p class="empty-text empty-keys">
          <Key>J</Key> <Key>K</Key> next and previous, <Key>A</Key> assign to me, <Key>?</Key> all keys
        </p>
      ) : null}
      {about.simulator && !unassigned ? (
        <p class="empty-text">
          <a href={address(phone)} onClick={follow(phone)}>
            Send a text from a simulated phone
          </a>
        </p>
      ) : null}
    </div>
  );
}

export function ThreadPane(): JSX.Element {
  const { conv } = route.value;
  return (
    <section class="thread-pane" aria-label="Conversation">
      {conv ? <Conversation key={conv} conv={conv} /> : <NothingOpen />}
    </section>
  );
}
