/** Below the thread: the reply field of who owns it, or why there is none and what to do. */
import { signal, useSignal, type Signal } from "@preact/signals";
import type { ComponentChildren, JSX } from "preact";
import { useLayoutEffect, useRef } from "preact/hooks";
import type { ConversationView, Thread } from "../contract";
import { assignAndWrite, online } from "./acts";
import { AttachButton, Attachments, useAttaching, useDrop } from "./attachments";
import { Key } from "./bits";
import { blocked, nameOf, useStore } from "./context";
import { openDialog } from "./dialog_state";
import { mmsWords } from "./file_words";
import { clock, daysAgo, shortTime } from "./format";
import { at, places } from "./places";
import { enterSends, shortcuts } from "./prefs";
import { counter } from "./segments";
import { NoteIcon } from "./more_icons";
import { finished } from "./thread_model";
import { minute } from "./time";
import { mentioned } from "./thread_words";
import { lacking, underWay } from "./uploads";

interface Props {
  readonly conv: string;
  readonly view: ConversationView;
  readonly thread: Thread;
}

/** Notes begun and not added yet; they last as long as the page does. */
const noteDrafts = new Map<string, Signal<string>>();
const NOTE_DRAFTS_MAX = 100;

function noteDraft(conv: string): Signal<string> {
  const kept = noteDrafts.get(conv) ?? signal("");
  noteDrafts.delete(conv);
  noteDrafts.set(conv, kept);
  const [oldest] = noteDrafts.keys();
  if (noteDrafts.size > NOTE_DRAFTS_MAX && oldest !== undefined) noteDrafts.delete(oldest);
  return kept;
}

interface FieldProps {
  readonly label: string;
  readonly text: Signal<string>;
  readonly send: () => void;
  readonly describedBy: string;
  readonly paste?: (event: ClipboardEvent) => void;
  /** Somebody types. */
  readonly typed?: () => void;
}

/** Grows with its text, up to a third of the window (by CSS). */
function Field({ label, text, send, describedBy, paste, typed }: FieldProps): JSX.Element {
  const box = useRef<HTMLTextAreaElement | null>(null);
  useLayoutEffect(() => {
    const element = box.current;
    if (!element) return;
    element.style.setProperty("height", "auto");
    element.style.setProperty("height", `${element.scrollHeight}px`);
  }, [text.value]);
  const keys = (event: KeyboardEvent): void => {
    if (event.isComposing) return;
    if (event.key === "Escape") places.log?.focus({ preventScroll: true }); // out of the text: the keys work again
    if (event.key !== "Enter") return;
    const forced = event.ctrlKey || event.metaKey;
    if (!forced && (event.shiftKey || event.altKey || !enterSends.peek())) return;
    event.preventDefault();
    send();
  };
  return (
    <textarea
      class="composer-field"
      rows={1}
      ref={(element) => {
        box.current = element;
        at("composer")(element);
      }}
      aria-label={label}
      aria-describedby={describedBy}
      placeholder={label}
      value={text.value}
      onInput={(event) => {
        text.value = event.currentTarget.value;
        typed?.();
      }}
      onKeyDown={keys}
      onPaste={paste}
    />
  );
}

function NoteSwitch({ on }: { on: Signal<boolean> }): JSX.Element {
  return (
    <button type="button" class="note-switch" role="switch" aria-checked={on.value} onClick={() => (on.value = !on.value)}>
      <NoteIcon />
      Internal note
    </button>
  );
}

function NoteEditor({ conv, on }: { conv: string; on: Signal<boolean> }): JSX.Element {
  const store = useStore();
  const text = noteDraft(conv);
  const max = store.limits.value.textMaxChars;
  const tooLong = [...text.value].length > max;
  const empty = !text.value.trim();
  const add = (): void => {
    const written = text.peek().trim();
    if (!written || tooLong || !online(store)) return;
    text.value = "";
    void store.note(conv, written, mentioned(written, store.people.peek().values())).then((outcome) => {
      if (!outcome.ok && !text.peek()) text.value = written;
    });
  };
  return (
    <div class="composer">
      <div class="composer-box composer-note">
        <Field label="Write an internal note" text={text} send={add} describedBy="composer-hint" />
        <div class="composer-foot">
          <NoteSwitch on={on} />
          <span class="composer-hint" id="composer-hint">
            {tooLong ? `Too long: ${[...text.value].length}/${max} characters` : "Only your team sees it. @name tells a colleague."}
          </span>
          <button type="button" class="button button-primary" aria-disabled={empty || tooLong || !!blocked(store)} onClick={add}>
            Add note
          </button>
        </div>
      </div>
    </div>
  );
}

function Reply({ conv, on }: { conv: string; on: Signal<boolean> }): JSX.Element {
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
          <NoteSwitch on={on} />
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

function Locked({ words, on, children }: { words: string; on: Signal<boolean>; children?: ComponentChildren }): JSX.Element {
  return (
    <div class="composer composer-locked">
      <p class="composer-words">{words}</p>
      <div class="composer-foot">
        <NoteSwitch on={on} />
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
  const noting = useSignal(false);
  const naming = (id: string): string => (id === store.me.value?.id ? "you" : nameOf(store, id));
  if (noting.value) return <NoteEditor conv={conv} on={noting} />;
  if (view.row.opted_out) {
    return (
      <Locked words="This customer has opted out (STOP). They have to text START first." on={noting}>
        {view.flag === "none" ? <AssignButton conv={conv} /> : null}
      </Locked>
    );
  }
  if (view.row.status === "done") {
    return (
      <Locked words={doneWords(view, thread, naming)} on={noting}>
        <AssignButton conv={conv} />
      </Locked>
    );
  }
  if (view.flag === "mine") return <Reply conv={conv} on={noting} />;
  if (view.flag === "other") {
    return (
      <Locked words={`${nameOf(store, view.row.assignee)} is handling this conversation.`} on={noting}>
        {store.me.value?.role === "admin" ? (
          <button type="button" class="button" onClick={() => openDialog({ kind: "takeover", conv })}>
            Take over
          </button>
        ) : null}
      </Locked>
    );
  }
  return (
    <Locked words="Assign this conversation to yourself to reply." on={noting}>
      <AssignButton conv={conv} />
    </Locked>
  );
}
