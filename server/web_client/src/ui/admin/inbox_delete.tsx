/** Deleting an inbox: whoever does it has written its name. */
import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { phoneNumber } from "../format";
import { say } from "../toasts";
import { FormDialog } from "./form_dialog";
import { deleteInbox } from "./routing_api";
import type { AdminInbox } from "./routing_words";

interface Props {
  readonly inbox: AdminInbox;
  readonly onDone: () => void;
  readonly onClose: () => void;
}

export function InboxDelete({ inbox, onDone, onClose }: Props): JSX.Element {
  const typed = useSignal("");
  const numbers = inbox.numbers.map(phoneNumber).join(", ");
  return (
    <FormDialog
      label="Delete inbox"
      button="Delete inbox"
      check={() => (typed.peek().trim() === inbox.name.trim() ? "" : `Type the name as it stands here: ${inbox.name}`)}
      act={async () => {
        await deleteInbox(inbox.id);
        say(`${inbox.name} is deleted.`);
        onDone();
      }}
      onClose={onClose}
    >
      <p class="dialog-words">
        {`Everything in ${inbox.name} is erased for everybody: conversations, messages and notes. This cannot be undone.`}
        {numbers ? ` ${numbers} ${inbox.numbers.length === 1 ? "stays" : "stay"}, delivering nowhere: what customers write is kept as unrouted.` : ""}
      </p>
      <label class="field">
        <span>{`Type “${inbox.name}” to delete it`}</span>
        <input type="text" data-first autocomplete="off" spellcheck={false} value={typed.value} onInput={(event) => (typed.value = event.currentTarget.value)} />
      </label>
    </FormDialog>
  );
}
