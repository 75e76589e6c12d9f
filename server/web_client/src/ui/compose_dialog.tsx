/** A new conversation begun by us: claimed and sent in one step. */
import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { useEffect, useRef } from "preact/hooks";
import type { MediaRef } from "../contract";
import { online } from "./acts";
import { AttachButton, Attachments, useAttaching, useDrop } from "./attachments";
import { useStore } from "./context";
import { Dialog } from "./dialog";
import { closeDialog } from "./dialog_state";
import { toE164 } from "./e164";
import { mmsWords } from "./file_words";
import { phoneNumber } from "./format";
import { focusSoon, places } from "./places";
import { go, route } from "./route";
import { counter } from "./segments";
import { refusalWords } from "./refusals";
import { useSettled } from "./settled";
import { clear, lacking, underWay } from "./uploads";

const E164 = /^\+[1-9]\d{4,14}$/;

export function ComposeDialog({ given = "" }: { given?: string }): JSX.Element {
  const store = useStore();
  const usable = store.inboxes.value.filter(({ numbers }) => numbers.length > 0);
  const here = usable.find(({ id }) => id === route.peek().inbox) ?? usable.find(({ joined }) => joined) ?? usable[0];
  const inbox = useSignal(here?.id ?? "");
  const numbers = usable.find(({ id }) => id === inbox.value)?.numbers ?? [];
  const from = useSignal("");
  const to = useSignal(given);
  const number = toE164(to.value);
  const settled = useSettled(number); // nobody is asked about each digit
  const named = settled === number && E164.test(number) ? store.contact(number).value?.name : undefined;
  const text = useSignal("");
  const attaching = useAttaching("compose", useSignal<readonly MediaRef[]>([]));
  const { tray } = attaching;
  const box = useRef<HTMLFormElement>(null);
  useDrop(() => box.current, attaching.take);
  useEffect(() => () => clear(tray), []);
  const problem = useSignal("");
  const busy = useSignal(false);
  const sender = numbers.includes(from.value) ? from.value : (numbers[0] ?? "");
  const max = store.limits.value.textMaxChars;
  const files = tray.files.value;

  const missing = (): string => {
    if (!sender) return "No inbox of yours has a number to send from. An admin can add one.";
    if (!E164.test(toE164(to.peek()))) return "Write the number with its country code, like +1 416 555 0142.";
    if (underWay(tray)) return "The files are being uploaded. Wait a moment.";
    if (lacking(tray)) return "A file could not be uploaded. Attach it again, or remove it.";
    if (!text.peek().trim() && !tray.files.peek().length) return "Write a message first.";
    if ([...text.peek()].length > max) return `The message is longer than ${max} characters.`;
    return "";
  };

  const submit = async (): Promise<void> => {
    problem.value = missing();
    if (problem.peek() || busy.peek() || !online(store)) return;
    busy.value = true;
    const outcome = await store.compose(inbox.peek(), sender, toE164(to.peek()), text.peek(), tray.files.peek());
    busy.value = false;
    if (!outcome.ok) {
      problem.value = outcome.owner
        ? `${store.people.peek().get(outcome.owner)?.name ?? outcome.owner} is handling this customer's conversation. Nothing was sent.`
        : refusalWords(outcome.slug, outcome.message);
      return;
    }
    closeDialog();
    go({ page: "inboxes", filter: "open", conv: outcome.conv });
    focusSoon(() => places.composer);
  };

  return (
    <Dialog label="New conversation">
      <form
        ref={box}
        onSubmit={(event) => {
          event.preventDefault();
          void submit();
        }}
      >
        <div class="field-row">
          <label class="field">
            <span>Inbox</span>
            <select value={inbox.value} onChange={(event) => (inbox.value = event.currentTarget.value)}>
              {usable.map(({ id, name }) => (
                <option key={id} value={id}>
                  {name}
                </option>
              ))}
            </select>
          </label>
          <label class="field">
            <span>From</span>
            <select value={sender} onChange={(event) => (from.value = event.currentTarget.value)}>
              {numbers.map((number) => (
                <option key={number} value={number}>
                  {phoneNumber(number)}
                </option>
              ))}
            </select>
          </label>
        </div>
        <label class="field">
          <span>To</span>
          <input type="tel" autocomplete="off" data-first={given ? undefined : ""} placeholder="+1 416 555 0142" value={to.value} onInput={(event) => (to.value = event.currentTarget.value)} />
        </label>
        {named ? (
          <p class="dialog-aside">
            {named}
          </p>
        ) : null}
        <label class="field">
          <span>Message</span>
          <textarea
            rows={4}
            data-first={given ? "" : undefined}
            value={text.value}
            onInput={(event) => (text.value = event.currentTarget.value)}
            onKeyDown={(event) => {
              if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
              event.preventDefault();
              void submit();
            }}
            onPaste={attaching.paste}
          />
        </label>
        <Attachments attaching={attaching} />
        <div class="attach-line">
          <AttachButton attaching={attaching} />
          <p class="dialog-aside">{files.length ? mmsWords(files) : counter(text.value)}</p>
        </div>
        {problem.value ? (
          <p class="problem" role="alert">
            {problem.value}
          </p>
        ) : null}
        <footer class="dialog-foot">
          <button type="button" class="button" onClick={closeDialog}>
            Cancel
          </button>
          <button type="submit" class="button button-primary" aria-disabled={busy.value || underWay(tray)}>
            Send
          </button>
        </footer>
      </form>
    </Dialog>
  );
}
