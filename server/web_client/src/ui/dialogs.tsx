/** The dialogs, loaded when the first of them opens. */
import { useSignal } from "@preact/signals";
import type { ComponentChildren, JSX } from "preact";
import type { Outcome, Presence, Store } from "../contract";
import { AboutInbox } from "./about_inbox";
import { online, takeOver } from "./acts";
import { AvailabilityDialog } from "./availability";
import { ComposeDialog } from "./compose_dialog";
import { customerName, inboxName, nameOf, useStore } from "./context";
import { Dialog } from "./dialog";
import { closeDialog, dialog } from "./dialog_state";
import { ListBox } from "./list_box";
import { lazy } from "./lazy";
import { Palette } from "./palette";
import { RoomDialogs } from "./parts";
import { presenceOf } from "./presence";
import { ShortcutsDialog } from "./shortcuts_dialog";
import { SnoozeDialog } from "./snooze_dialog";
import { refusalWords } from "./refusals";

const ExportDialog = lazy(() => import("./export_dialog").then((part) => part.ExportDialog));
const HoldDialog = lazy(() => import("./hold_dialog").then((part) => part.HoldDialog));
const ContactCard = lazy(() => import("./contact_dialog").then((part) => part.ContactCard));

function Foot({ children }: { children: ComponentChildren }): JSX.Element {
  return (
    <footer class="dialog-foot">
      <button type="button" class="button" onClick={closeDialog}>
        Cancel
      </button>
      {children}
    </footer>
  );
}

/** Members of the conversation's inbox who can have it: active, and not left out by `left`. */
function membersOf(store: Store, conv: string, left: string): { id: string; label: string; presence: Presence | "" }[] {
  const view = store.conversation(conv).value;
  const inbox = store.inboxes.value.find(({ id }) => id === view?.inbox);
  const me = store.me.value?.id;
  return (inbox?.members ?? [])
    .filter((id) => id !== left && store.people.value.get(id)?.active)
    .map((id) => ({ id, label: id === me ? `${nameOf(store, id)} (you)` : nameOf(store, id), presence: presenceOf(store, id) }))
    .sort((a, b) => a.label.localeCompare(b.label));
}

interface HandOverProps {
  readonly conv: string;
  readonly label: string;
  readonly list: string;
  readonly button: string;
  readonly withNote: boolean;
  readonly leftOut: string;
  readonly act: (to: string, note: string) => Promise<Outcome>;
}

function HandOver({ conv, label, list, button, withNote, leftOut, act }: HandOverProps): JSX.Element {
  const store = useStore();
  const options = membersOf(store, conv, leftOut);
  const chosen = useSignal(options.length === 1 ? (options[0]?.id ?? "") : "");
  const note = useSignal("");
  const problem = useSignal("");
  const busy = useSignal(false);
  const view = store.conversation(conv).value;
  const submit = async (): Promise<void> => {
    if (!chosen.peek()) {
      problem.value = "Choose who should have it.";
      return;
    }
    if (busy.peek() || !online(store)) return;
    busy.value = true;
    const outcome = await act(chosen.peek(), note.peek().trim());
    busy.value = false;
    if (outcome.ok) closeDialog();
    else problem.value = refusalWords(outcome.slug, outcome.message);
  };
  return (
    <Dialog label={label}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          void submit();
        }}
      >
        <p class="dialog-words">
          {view ? `${customerName(store, view.row.customer)} · ${inboxName(store, view.inbox)}` : ""}
        </p>
        {options.length ? (
          <div class="field">
            <span aria-hidden="true">{list}</span>
            <ListBox label={list} options={options} chosen={chosen} />
          </div>
        ) : (
          <p class="dialog-words">Nobody else is a member of this inbox. An admin can add people to it.</p>
        )}
        {withNote ? (
          <label class="field">
            <span>Note</span>
            <textarea rows={2} placeholder="Optional: what they should know" value={note.value} onInput={(event) => (note.value = event.currentTarget.value)} />
          </label>
        ) : null}
        {problem.value ? (
          <p class="problem" role="alert">
            {problem.value}
          </p>
        ) : null}
        <Foot>
          <button type="submit" class="button button-primary" aria-disabled={!chosen.value || busy.value}>
            {button}
          </button>
        </Foot>
      </form>
    </Dialog>
  );
}

function TransferDialog({ conv }: { conv: string }): JSX.Element {
  const store = useStore();
  const owner = store.conversation(conv).value?.row.assignee ?? "";
  return (
    <HandOver
      conv={conv}
      label="Transfer"
      list="Transfer to"
      button="Transfer"
      withNote
      leftOut={owner}
      act={(to, note) => store.transfer(conv, to, note || undefined)}
    />
  );
}

function DispatchDialog({ conv }: { conv: string }): JSX.Element {
  const store = useStore();
  return <HandOver conv={conv} label="Assign to…" list="Assign to" button="Assign" withNote={false} leftOut="" act={(to) => store.assign(conv, to)} />;
}

function TakeoverDialog({ conv }: { conv: string }): JSX.Element {
  const store = useStore();
  const owner = nameOf(store, store.conversation(conv).value?.row.assignee ?? "");
  return (
    <Dialog label="Take over">
      <p class="dialog-words">{`${owner} is handling this conversation. If you take it over, ${owner} is told, and can no longer reply. What ${owner} has begun to write is kept as their draft.`}</p>
      <Foot>
        <button
          type="button"
          class="button button-primary"
          data-first
          onClick={() => {
            closeDialog();
            void takeOver(store, conv);
          }}
        >
          Take over
        </button>
      </Foot>
    </Dialog>
  );
}

export function Dialogs(): JSX.Element | null {
  const state = dialog.value;
  switch (state?.kind) {
    case "transfer":
      return <TransferDialog conv={state.conv} />;
    case "dispatch":
      return <DispatchDialog conv={state.conv} />;
    case "takeover":
      return <TakeoverDialog conv={state.conv} />;
    case "snooze":
      return <SnoozeDialog conv={state.conv} />;
    case "availability":
      return <AvailabilityDialog />;
    case "about":
      return <AboutInbox inbox={state.inbox} />;
    case "compose":
      return <ComposeDialog given={state.to ?? ""} />;
    case "export":
      return <ExportDialog conv={state.conv} onClose={closeDialog} />;
    case "hold":
      return <HoldDialog conv={state.conv} onClose={closeDialog} />;
    case "contact":
      return <ContactCard number={state.number} onClose={closeDialog} />;
    case "shortcuts":
      return <ShortcutsDialog />;
    case "palette":
      return <Palette />;
    default:
      return state ? <RoomDialogs state={state} /> : null;
  }
}
