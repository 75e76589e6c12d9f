/** One conversation: its head, its thread, its composer. Loaded when the first of them opens. */
import type { JSX } from "preact";
import { useLayoutEffect, useMemo } from "preact/hooks";
import "../styles/availability.css";
import type { ConversationView, Store } from "../contract";
import { choices, markDone, stayHere, wake } from "./acts";
import { keeping } from "./keeping_acts";
import { Empty, Hidden } from "./bits";
import { Composer } from "./composer";
import { ContactButton } from "./contact_button";
import { blocked, inboxName, nameOf, useStore } from "./context";
import { phoneNumber } from "./format";
import { ClockIcon, FlagIcon } from "./icons";
import { useLooking } from "./looking";
import { Menu } from "./menu";
import { OthersHere } from "./others_here";
import { places } from "./places";
import { PresenceDot, presenceOf } from "./presence";
import { back } from "./route";
import { panes } from "./screen";
import { BackIcon, CheckIcon } from "./more_icons";
import { momentWords } from "./snooze_times";
import { ThreadItem } from "./lines";
import { ThreadLog } from "./thread_log";
import { arrange } from "./thread_model";
import { minute } from "./time";
import { statusWords } from "./words";

/** For the keys: what the menu offers at this moment. */
function useActs(store: Store, conv: string): void {
  // Before the paint: a key pressed at what is seen must find its act.
  useLayoutEffect(() => {
    const act = (id: string): void => {
      const view = store.conversation(conv).peek();
      if (view) choices(store, conv, view).find((choice) => choice.id === id)?.run();
    };
    places.act = act;
    return () => {
      if (places.act === act) places.act = null;
    };
  }, [store, conv]);
}

function toHistory(conv: string, store: Store): void {
  const { log } = places;
  log?.focus({ preventScroll: true });
  log?.scrollTo({ top: 0 });
  store.thread(conv).older();
}

interface HeadProps {
  readonly conv: string;
  readonly view: ConversationView;
  /** It is only read where it is shown: nothing changes whose it is. */
  readonly readOnly?: boolean;
}

export function Head({ conv, view, readOnly = false }: HeadProps): JSX.Element {
  const store = useStore();
  const { row } = view;
  const named = store.contact(row.customer).value;
  const number = phoneNumber(row.customer);
  const history = { id: "history", label: "History", hint: "", run: () => toHistory(conv, store) };
  const offered = [...(readOnly ? [] : [...choices(store, conv, view), history]), ...keeping(store, conv)];
  const mine = view.flag === "mine";
  const there = view.flag === "other" ? presenceOf(store, row.assignee) : "";
  return (
    <header class="thread-head">
      {panes.value === 1 ? (
        <button type="button" class="icon-button" aria-label="Back" title="Back" onClick={() => back({ conv: "" })}>
          <BackIcon />
        </button>
      ) : null}
      <div class="thread-title">
        <h2>
          <bdi>{named?.name ?? number}</bdi>
        </h2>
        <ContactButton number={row.customer} />
        <p class="thread-about">
          {named ? (
            <span>
              <Hidden>number </Hidden>
              {number}
            </span>
          ) : null}
          <span class={`status status-${row.status === "done" ? "done" : view.flag}`}>
            {view.flag === "none" ? null : <FlagIcon filled={mine} />}
            {statusWords(view, (id) => nameOf(store, id))}
            {there ? <PresenceDot state={there} /> : null}
          </span>
          <span class="thread-inbox">{inboxName(store, view.inbox)}</span>
          <span class="thread-our">
            <Hidden>our number </Hidden>
            {phoneNumber(row.our)}
          </span>
          <OthersHere conv={conv} />
        </p>
      </div>
      {offered.length ? (
        <div class="thread-acts">
          {mine && !readOnly ? (
            <button type="button" class="button button-small" aria-disabled={blocked(store) ? "true" : undefined} title={blocked(store) || undefined} onClick={() => void markDone(store, conv)}>
              <CheckIcon />
              <span class="button-text">Mark as Done</span>
            </button>
          ) : null}
          <Menu label="More actions" choices={offered} />
        </div>
      ) : null}
    </header>
  );
}

/** Put aside: until when, and the way back for its owner. */
function Snoozed({ conv, view }: { conv: string; view: ConversationView }): JSX.Element | null {
  const store = useStore();
  const until = view.row.snoozed_until;
  if (!until) return null;
  const why = blocked(store);
  return (
    <div class="snoozed">
      <ClockIcon />
      <p>{`Snoozed until ${momentWords(until, minute.value)}`}</p>
      {view.flag === "mine" ? (
        <button
          type="button"
          class="button button-small"
          aria-disabled={why ? "true" : undefined}
          title={why || undefined}
          onClick={() => {
            void wake(store, conv);
            if (!why) stayHere();
          }}
        >
          Wake
        </button>
      ) : null}
    </div>
  );
}

function Opened({ conv }: { conv: string }): JSX.Element {
  const store = useStore();
  const thread = useMemo(() => store.thread(conv), [store, conv]);
  useLooking(store, conv, () => {
    const seen = store.conversation(conv).value;
    return seen !== undefined && !seen.pending;
  });
  useActs(store, conv);
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
      <Snoozed conv={conv} view={view} />
      <ThreadLog
        thread={thread}
        start="This is where the conversation begins."
        arrange={arrange}
        render={(item) => <ThreadItem key={item.key} item={item} conv={conv} customer={view.row.customer} />}
      />
      <Composer conv={conv} view={view} thread={thread} />
    </>
  );
}

export function Conversation({ conv }: { conv: string }): JSX.Element {
  return useStore().prepared.value ? <Opened conv={conv} /> : <div class="thread-waiting" />;
}
