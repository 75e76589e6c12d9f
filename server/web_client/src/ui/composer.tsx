/** Below the thread: the reply field of who owns it, or why there is none and what to do. */
import { useSignal, type Signal } from "@preact/signals";
import type { ComponentChildren, JSX } from "preact";
import { useLayoutEffect, useRef } from "preact/hooks";
import type { ConversationView, Person, Store, Thread } from "../contract";
import { assignAndWrite, online } from "./acts";
import { AttachButton, Attachments, useAttaching, useDrop } from "./attachments";
import { Key } from "./bits";
import { blocked, nameOf, useStore } from "./context";
import { openDialog } from "./dialog_state";
import { mmsWords } from "./file_words";
import { clock, daysAgo, shortTime } from "./format";
import { Field } from "./field";
import { mentioned } from "./mentions";
import { LockIcon } from "./more_icons";
import { focusSoon, places } from "./places";
import { enterSends, shortcuts } from "./prefs";
import { counter } from "./segments";
import { finished } from "./thread_model";
import { minute } from "./time";
import { lacking, underWay } from "./uploads";

interface Props {
  readonly conv: string;
  readonly view: ConversationView;
  readonly thread: Thread;
}

type Mode = "reply" | "note";

/** A note begun is a draft of its own: no reply can ever take it along. */
const noteDraft = (store: Store, conv: string): Signal<string> => store.draft(`note ${conv}`);

/** Who may see the conversations of this inbox, and so be called in a note. */
function readersOf(store: Store, inbox: string): readonly Person[] {
  const members = new Set(store.inboxes.value.find(({ id }) => id === inbox)?.members);
  return [...store.people.value.values()].filter(({ id, role, active }) => active && (role === "admin" || members.has(id)));
}

/** What is written here: the same two buttons in the same place, whatever is chosen. */
function Modes({ mode }: { mode: Signal<Mode> }): JSX.Element {
  const button = (name: Mode, children: ComponentChildren, key: string): JSX.Element => (
    <button
      type="button"
      aria-pressed={mode.value === name}
      title={shortcuts.value ? `Key ${key}` : undefined}
      onClick={() => places.write?.(name)}
    >
      {children}
    </button>
  );
  return (
    <div class="segmented modes" role="group" aria-label="What to write">
      {button("reply", "Reply", "R")}
      {button(
        "note",
        <>
          <LockIcon />
          Note
        </>,
        "N",
      )}
    </div>
  );
}

function NoteEditor({ conv, view, mode }: { conv: string; view: ConversationView; mode: Signal<Mode> }): JSX.Element {
  const store = useStore();
  const text = noteDraft(store, conv);
  const people = readersOf(store, view.inbox);
  const max = store.limits.value.textMaxChars;
  const length = [...text.value].length;
  const tooLong = length > max;
  const empty = !text.value.trim();
  const add = (): void => {
    const written = text.peek().trim();
    if (!written || tooLong || !online(store)) return;
    text.value = "";
    void store.note(conv, written, mentioned(written, people)).then((outcome) => {
      if (!outcome.ok) text.value = [written, text.peek()].filter(Boolean).join("\n");
    });
  };
  return (
    <div class="composer composer-noting">
      <div class="composer-box composer-note">
        <p class="note-banner" id="note-banner">
          <LockIcon />
          Internal note: the customer does not see this
        </p>
        <Field label="Write an internal note" text={text} send={add} describedBy="note-banner composer-hint" people={people} />
        <div class="composer-foot">
          <Modes mode={mode} />
          <span class={tooLong ? "composer-hint composer-too-long" : "composer-hint"} id="composer-hint">
            {tooLong ? `Too long: ${length}/${max} characters` : "@ calls a colleague"}
          </span>
          <button type="button" class="button button-note" aria-disabled={empty || tooLong || !!blocked(store)} title={blocked(store) || undefined} onClick={add}>
            Add note
          </button>
        </div>
      </div>
    </div>
  );
}

function Reply({ conv, mode }: { conv: string; mode: Signal<Mode> }): JSX.Element {
  const store = useStore();
  const text = store.draft(conv);
  const why = blocked(store);
  const max = store.limits.value.textMaxChars;
  const length = [...text.value].length;
  const tooLong = length > max;
  const attaching = useAttaching(conv, store.attached(conv));
  const { tray } = attaching;
  useDrop(() => places.composer?.closest<HTMLElement>(".thread-pane"), attaching.take);
  const files = tray.files.value;
  const uploading = underWay(tray);
  const lacks = lacking(tray);
  const empty = !text.value.trim() && !files.length;
  const send = (): void => {
    const written = text.peek();
    const media = tray.files.peek();
    if ((!written.trim() && !media.length) || tooLong || uploading || lacks || !online(store)) return;
    void store.reply(conv, written, media);
  };
  const hint = why || (uploading ? "Uploading…" : lacks ? "Attach it again, or remove it." : files.length ? mmsWords(files) : counter(text.value));
  return (
    <div class="composer">
      <div class="composer-box">
        <Attachments attaching={attaching} />
        <Field label="Write a message" text={text} send={send} describedBy="composer-counter" paste={attaching.paste} typed={() => store.typing(conv)} />
        <div class="composer-foot">
          <AttachButton attaching={attaching} />
          <Modes mode={mode} />
          <span class={tooLong ? "composer-hint composer-too-long" : "composer-hint"} id="composer-counter">
            {tooLong ? `Too long: ${length}/${max} characters` : hint}
          </span>
          <button
            type="button"
            class="button button-primary"
            title={why || (enterSends.value ? "Enter" : "Ctrl+Enter")}
            aria-disabled={empty || tooLong || uploading || lacks || !!why}
            onClick={send}
          >
            Send
          </button>
        </div>
      </div>
    </div>
  );
}

function Locked({ words, mode, children }: { words: string; mode: Signal<Mode>; children?: ComponentChildren }): JSX.Element {
  return (
    <div class="composer composer-locked">
      <p class="composer-words">{words}</p>
      <div class="composer-foot">
        <Modes mode={mode} />
        {children}
      </div>
    </div>
  );
}

function AssignButton({ conv }: { conv: string }): JSX.Element {
  const store = useStore();
  const why = blocked(store);
  return (
    <button type="button" class="button button-primary" aria-disabled={why ? "true" : undefined} title={why || undefined} onClick={() => assignAndWrite(store, conv)}>
      Assign to Me
      {shortcuts.value ? <Key>A</Key> : null}
    </button>
  );
}

/** "Done by Dee, 14:02." */
function doneWords(view: ConversationView, thread: Thread, naming: (id: string) => string): string {
  const end = finished(thread.lines.value);
  const by = end?.by || view.row.last_assignee;
  const atMs = end?.atMs ?? view.row.last_ms;
  const today = daysAgo(atMs, minute.value) <= 0;
  const when = today ? clock(atMs) : `${shortTime(atMs, minute.value)} ${clock(atMs)}`;
  return by ? `Done by ${naming(by)}, ${when}.` : `Done, ${when}.`;
}

export function Composer({ conv, view, thread }: Props): JSX.Element {
  const store = useStore();
  const mode = useSignal<Mode>("reply");
  const turned = useRef(false);
  // The field has the focus before the next key arrives: what is typed at once is written in it.
  const focus = (): void => {
    turned.current = false;
    places.composer?.focus({ preventScroll: true });
  };
  useLayoutEffect(() => {
    if (turned.current) focus();
  }, [mode.value]);
  useLayoutEffect(() => {
    const write = (what: Mode): void => {
      if (mode.peek() === what) return focus();
      turned.current = true;
      mode.value = what;
      focusSoon(() => places.composer); // until then no letter is a command
    };
    places.write = write;
    return () => {
      if (places.write === write) places.write = null;
    };
  }, []);
  const naming = (id: string): string => (id === store.me.value?.id ? "you" : nameOf(store, id));
  if (mode.value === "note") return <NoteEditor conv={conv} view={view} mode={mode} />;
  if (view.row.opted_out) {
    return (
      <Locked words="This customer has opted out (STOP). They have to text START first." mode={mode}>
        {view.flag === "none" ? <AssignButton conv={conv} /> : null}
      </Locked>
    );
  }
  if (view.row.status === "done") {
    return (
      <Locked words={doneWords(view, thread, naming)} mode={mode}>
        <AssignButton conv={conv} />
      </Locked>
    );
  }
  if (view.flag === "mine") return <Reply conv={conv} mode={mode} />;
  if (view.flag === "other") {
    return (
      <Locked words={`${nameOf(store, view.row.assignee)} is handling this conversation.`} mode={mode}>
        {store.me.value?.role === "admin" ? (
          <button type="button" class="button" onClick={() => openDialog({ kind: "takeover", conv })}>
            Take over
          </button>
        ) : null}
      </Locked>
    );
  }
  return (
    <Locked words="Assign this conversation to yourself to reply." mode={mode}>
      <AssignButton conv={conv} />
    </Locked>
  );
}
