/** What a person does, from wherever they do it: buttons, menu, keys and palette share these. */
import type { ConversationView, Outcome, Store } from "../contract";
import { dialog, openDialog } from "./dialog_state";
import { focusSoon, places } from "./places";
import { go, route } from "./route";
import { say } from "./toasts";

/** False, with a word, while nothing can be sent. Acts are never queued. */
export function online(store: Store): boolean {
  if (store.link.peek().state === "live") return true;
  say("You are offline. Nothing was changed.");
  return false;
}

const isOpen = (conv: string): boolean => route.peek().conv === conv;

async function andWrite(conv: string, outcome: Promise<Outcome>): Promise<void> {
  const { ok } = await outcome;
  if (ok && isOpen(conv) && !dialog.peek()) focusSoon(() => places.composer);
}

/** For a button that goes away when it is pressed: the focus stays in the conversation, or on the page. */
export function stayHere(): void {
  focusSoon(() => places.composer ?? places.log ?? document.querySelector<HTMLElement>("main [data-conv][tabindex='0'], main[tabindex]"));
}

export async function assignToMe(store: Store, conv: string): Promise<void> {
  if (online(store)) await store.assign(conv);
}

/** For the button, which goes away when it is pressed: the reply field takes its focus. */
export function assignAndWrite(store: Store, conv: string): void {
  if (!online(store)) return;
  void store.assign(conv);
  focusSoon(() => places.composer);
}

export async function takeOver(store: Store, conv: string): Promise<void> {
  const me = store.me.peek();
  if (me && online(store)) await andWrite(conv, store.transfer(conv, me.id));
}

export async function giveBack(store: Store, conv: string): Promise<void> {
  if (online(store)) await store.giveBack(conv);
}

export async function markDone(store: Store, conv: string): Promise<void> {
  if (online(store)) await store.markDone(conv);
}

export async function wake(store: Store, conv: string): Promise<void> {
  if (online(store)) await store.wake(conv);
}

export async function undo(store: Store, conv: string): Promise<void> {
  if (online(store)) await store.undo(conv);
}

/** Unread and open at once would be read again in the same moment: so it closes. */
export async function markUnread(store: Store, conv: string): Promise<void> {
  if (!online(store)) return;
  if (isOpen(conv)) {
    go({ conv: "" });
    places.list?.(conv);
  }
  await store.markUnread(conv);
}

export interface Choice {
  readonly id: string;
  readonly label: string;
  /** The key that does the same. */
  readonly hint: string;
  readonly run: () => void;
}

/** What this person may do to this conversation now, in the menu's order. */
export function choices(store: Store, conv: string, view: ConversationView): readonly Choice[] {
  const admin = store.me.value?.role === "admin";
  const { status } = view.row;
  const mine = view.flag === "mine";
  const others = view.flag === "other";
  const inbox = store.inboxes.value.find(({ id }) => id === view.inbox);
  const dispatches = admin || (inbox?.joined && inbox.membersMayDispatch) || false;
  const found: Choice[] = [];
  const add = (when: boolean, id: string, label: string, hint: string, run: () => void): void => {
    if (when) found.push({ id, label, hint, run });
  };
  add(status !== "assigned", "assign", "Assign to Me", "A", () => void assignToMe(store, conv));
  add(status === "unassigned" && dispatches, "dispatch", "Assign to…", "", () => openDialog({ kind: "dispatch", conv }));
  add(others && admin, "takeover", "Take over", "", () => openDialog({ kind: "takeover", conv }));
  add(mine || (others && admin), "transfer", "Transfer", "T", () => openDialog({ kind: "transfer", conv }));
  add(mine && view.row.snoozed_until > 0, "wake", "Wake", "", () => void wake(store, conv));
  add(mine, "snooze", "Snooze…", "Z", () => openDialog({ kind: "snooze", conv }));
  add(mine || (others && admin), "return", "Return to Inbox", "U", () => void giveBack(store, conv));
  add(status === "unassigned" || mine || (others && admin), "done", "Mark as Done", "E", () => void markDone(store, conv));
  add(status === "unassigned" || mine, "unread", "Mark unread", "", () => void markUnread(store, conv));
  return found;
}
