/**
 * The seam between what the client knows (`store/`) and what people see (`ui/`).
 *
 * `ui/` imports this file and nothing of `store/`; `store/` implements it and knows no element.
 * Everything readable is a signal; everything a person does is a method that answers with an
 * Outcome and never throws.
 */
import type { ReadonlySignal, Signal } from "@preact/signals";
import type { Row } from "./wire";

/** The four lists of an inbox; the first three are Open. */
export type View = "unassigned" | "mine" | "others" | "done";

/** What a list may hold: one of the four, or all conversations, open and done (Interactions). */
export type ListView = View | "all";

export interface Person {
  readonly id: string;
  readonly name: string;
  readonly role: "member" | "admin";
  /** False: there for history alone, to be offered nowhere. */
  readonly active: boolean;
  readonly bot: boolean;
  /** What they set: "" for available; "release": a customer's next message goes back to the inbox. */
  readonly away: "" | "away" | "release";
}

/** What colleagues see of somebody; who is missing in the map is offline. */
export type Presence = "online" | "away" | "offline";

/** A file of a message; `type` is "" and `size` 0 until the server has fetched it from the carrier. */
export interface MediaRef {
  readonly id: string;
  readonly type: string;
  readonly size: number;
  readonly name: string;
}

/** A direct room or a channel that I am in. */
export interface Room {
  readonly id: string;
  readonly kind: "direct" | "public" | "private";
  /** Of a channel; "" for a direct room. */
  readonly name: string;
  /** The two of a direct room (one: me with myself); empty for a channel. */
  readonly people: readonly string[];
  readonly archived: boolean;
  readonly lastMs: number;
  readonly lastBy: string;
  readonly preview: string;
  readonly posts: number;
  /** Posts of others that I have not seen, and those of them that name me. */
  readonly unread: number;
  readonly mentions: number;
}

/** Somebody of the address book, as far as it is shown where a number would be. */
export interface ContactName {
  readonly id: string;
  readonly name: string;
}

export interface InboxInfo {
  readonly id: string;
  readonly name: string;
  /** What the calls of its destination reach: "department", "ring_group", "welcome_menu" or newer. */
  readonly kind: string;
  /** "" or digits. */
  readonly extension: string;
  readonly numbers: readonly string[];
  readonly members: readonly string[];
  /** False where an admin only looks in: such inboxes have no badges for them. */
  readonly joined: boolean;
  /** Members may assign unassigned conversations to colleagues, as admins may. */
  readonly membersMayDispatch: boolean;
}

/** Numbers of conversations: absolute values as the server counts them. */
export interface Totals {
  readonly blue: number;
  readonly green: number;
  readonly unassigned: number;
}

export type Link =
  | { readonly state: "connecting" }
  | { readonly state: "live" }
  | { readonly state: "waiting"; readonly retryAtMs: number }
  | { readonly state: "offline" }
  | { readonly state: "signed_out"; readonly reason: string }
  | { readonly state: "stopped"; readonly reason: string };

/** What somebody does to a conversation; the names are the wire's. */
export type Verb = "assign" | "transfer" | "return" | "done" | "undo" | "unread" | "snooze" | "wake";

/** One conversation as this viewer sees it now: confirmed, with my pending acts laid over it. */
export interface ConversationView {
  readonly row: Row;
  readonly inbox: string;
  readonly flag: "none" | "mine" | "other";
  readonly badge: "none" | "blue" | "green";
  /** Unanswered messages while unread for me, at least 1 then; 0 when there is no badge. */
  readonly count: number;
  /** An act of mine that the server has not answered yet. */
  readonly pending: Verb | "";
  /** Until when (epoch ms) my last ownership change can be undone; 0 for not at all. */
  readonly undoUntilMs: number;
}

/** A windowed list, newest change first: a sorted, loaded head and what lies below it. */
export interface List {
  readonly ids: ReadonlySignal<readonly string[]>;
  /** How many there are in all, null while unknown. */
  readonly total: ReadonlySignal<number | null>;
  readonly complete: ReadonlySignal<boolean>;
  readonly loading: ReadonlySignal<boolean>;
  /** Another value whenever anything of it may have moved, also where the order stays. */
  readonly moved: ReadonlySignal<number>;
  /** Load the next page; does nothing while loading or complete. */
  more(): void;
}

export type LineKind =
  | "received"
  | "replied"
  | "composed"
  | "noted"
  | "assigned"
  | "transferred"
  | "returned"
  | "done"
  | "undone"
  | "snoozed"
  | "woken"
  | "answered"
  | "posted"
  | "member_joined"
  | "member_removed"
  | "room_created"
  | "room_changed";

/** One line of a thread: a message, an internal note or a system line. */
export interface Line {
  /** Stable over the life of the line, for keyed rendering: also from pending to confirmed. */
  readonly key: string;
  /** The message's number; 0 while it is only mine. */
  readonly n: number;
  readonly atMs: number;
  readonly kind: LineKind;
  /** User id; "" for the customer, and for nobody's act (a removal, a timer). */
  readonly actor: string;
  readonly text: string;
  readonly media: readonly MediaRef[];
  /** For system lines: why, where it was nobody's act ("away", "offline", "silent", "membership", ...). */
  readonly why: string;
  /** Of a snooze: until when. */
  readonly untilMs: number;
  /** For system lines: who has it now (user id), "" for nobody; of a membership: whose. */
  readonly to: string;
  /** Whom a note or a post names (user ids). */
  readonly mentions: readonly string[];
  /** A transfer's note. */
  readonly note: string;
  /** Towards the carrier; "sending": not acknowledged yet, "waiting": until we are online. */
  readonly state: "" | "sending" | "waiting" | "queued" | "sent" | "delivered" | "failed" | "edited" | "deleted";
  /** Why it failed, for people. */
  readonly reason: string;
}

export interface Thread {
  /** Oldest first. */
  readonly lines: ReadonlySignal<readonly Line[]>;
  readonly loading: ReadonlySignal<boolean>;
  /** Nothing older exists. */
  readonly atStart: ReadonlySignal<boolean>;
  /** The number of the first post of a room that I had not seen when I opened it; 0: none. */
  readonly unreadFrom: ReadonlySignal<number>;
  older(): void;
}

/** Lines around one of them, as they were when they were read; no event changes them. */
export interface Past extends Thread {
  /** Nothing newer existed. */
  readonly atEnd: ReadonlySignal<boolean>;
  newer(): void;
}

export type Outcome =
  | { readonly ok: true; readonly conv: string }
  | {
      readonly ok: false;
      /** A slug of docs/protocol.md, or "offline", or "unknown" (no answer: look again). */
      readonly slug: string;
      /** The server's words. */
      readonly message: string;
      /** Who owns it now, where that is why. */
      readonly owner: string;
    };

/** Something a person should be told once; `ui/` finds the words. */
export type Notice =
  | { readonly kind: "lost_race"; readonly conv: string; readonly by: string }
  | { readonly kind: "moved_away"; readonly conv: string; readonly by: string; readonly to: string; readonly draftKept: boolean }
  | { readonly kind: "handed_to_me"; readonly conv: string; readonly by: string }
  | { readonly kind: "woken"; readonly conv: string }
  /** Nobody's act: I was away, offline or silent for too long. */
  | { readonly kind: "released"; readonly conv: string; readonly why: string }
  | { readonly kind: "snoozed"; readonly conv: string; readonly untilMs: number }
  /** `n`: in which line, where that is known. */
  | { readonly kind: "mention"; readonly conv: string; readonly by: string; readonly n?: number }
  /** A message in a direct room of mine. */
  | { readonly kind: "direct"; readonly conv: string; readonly by: string }
  /** Somebody put me into a channel. */
  | { readonly kind: "added"; readonly conv: string; readonly by: string }
  | { readonly kind: "inbound"; readonly conv: string; readonly mine: boolean }
  | { readonly kind: "done"; readonly conv: string }
  | { readonly kind: "returned"; readonly conv: string }
  /** `warned`: why whom I gave it to may not see it at once. */
  | { readonly kind: "transferred"; readonly conv: string; readonly to: string; readonly warned: "" | "away" | "offline" }
  | { readonly kind: "dispatched"; readonly conv: string; readonly to: string; readonly warned: "" | "away" | "offline" }
  | { readonly kind: "refused"; readonly conv: string; readonly slug: string; readonly message: string }
  | { readonly kind: "became_draft"; readonly conv: string }
  | { readonly kind: "offline" }
  | { readonly kind: "writes_lost"; readonly inbox: string; readonly count: number }
  | { readonly kind: "new_build" };

export interface Store {
  /** The signed-in person; null before the first WELCOME. */
  readonly me: ReadonlySignal<Person | null>;
  /** Everybody of the organisation by id; who left is missing: show the id. */
  readonly people: ReadonlySignal<ReadonlyMap<string, Person>>;
  /** Inboxes I may see, by name. */
  readonly inboxes: ReadonlySignal<readonly InboxInfo[]>;
  /** All joined inboxes together: what the Inboxes tab, the title and the app badge show. */
  readonly totals: ReadonlySignal<Totals>;
  /** Of everybody who is not offline, me included. */
  readonly presence: ReadonlySignal<ReadonlyMap<string, Presence>>;
  /** What I set: away, and whether customers' next messages then go back to the inbox. */
  readonly availability: ReadonlySignal<{ readonly away: boolean; readonly release: boolean }>;
  readonly link: ReadonlySignal<Link>;
  /** The engine behind the server is unreachable: reading works, changes wait. */
  readonly degraded: ReadonlySignal<boolean>;
  /** The first snapshot of every followed inbox has been shown. */
  readonly ready: ReadonlySignal<boolean>;
  /** This tab owns notifications, sound, app badge and the outbox. */
  readonly leader: ReadonlySignal<boolean>;
  readonly limits: ReadonlySignal<{ readonly textMaxChars: number }>;

  totalsOf(inbox: string): ReadonlySignal<Totals>;
  /** The list of one inbox, or of all I have joined (null); the same object for equal arguments. */
  list(view: ListView, inbox: string | null): List;
  /** Undefined while unknown; the same signal for the same id. */
  conversation(id: string): ReadonlySignal<ConversationView | undefined>;
  /** Whether what conversations take is loaded; until then threads are empty, and loading. */
  readonly prepared: ReadonlySignal<boolean>;
  /** Load it before it is wanted. */
  prepare(): void;
  /** Loads the newest page on first use, and the conversation with it. */
  thread(id: string): Thread;
  /** The stretch around the line `n`, read anew for each caller; also of a room. */
  around(id: string, n: number): Past;
  /** Who else looks at this conversation, and who of them is typing; empty unless I look at it. */
  watchers(id: string): ReadonlySignal<ReadonlyMap<string, "viewing" | "typing">>;
  /** I type in this conversation; call at every change, it is told at most every 3 s. */
  typing(id: string): void;
  /** My draft, kept over reload and in all my tabs; assigning saves it. */
  draft(id: string): Signal<string>;
  /** Files uploaded for my draft, kept as long as the page; a reply takes them with the text. */
  attached(id: string): Signal<readonly MediaRef[]>;

  /** A person looks at it: marks it read for me, on all my devices. Call again on new messages. */
  look(id: string): void;
  /** Nobody looks any more; keeps what is loaded, within bounds. */
  leave(id: string): void;

  assign(id: string, to?: string): Promise<Outcome>;
  /** Carries the present owner's token; `to` me by an admin is Take over. */
  transfer(id: string, to: string, note?: string): Promise<Outcome>;
  giveBack(id: string): Promise<Outcome>;
  markDone(id: string): Promise<Outcome>;
  undo(id: string): Promise<Outcome>;
  markUnread(id: string): Promise<Outcome>;
  /** Put my own aside until then (epoch ms). */
  snooze(id: string, untilMs: number): Promise<Outcome>;
  wake(id: string): Promise<Outcome>;
  setAway(away: boolean, release: boolean): Promise<Outcome>;
  /** Sends once however often it is pressed: the draft is taken in the same step. */
  reply(id: string, text: string, media?: readonly MediaRef[]): Promise<Outcome>;
  note(id: string, text: string, mentions?: readonly string[]): Promise<Outcome>;
  retry(id: string, n: number): Promise<Outcome>;
  compose(inbox: string, from: string, to: string, text: string, media?: readonly MediaRef[]): Promise<Outcome>;

  /** My direct rooms and channels, the newest post first; absolute, as the server tells them. */
  readonly rooms: ReadonlySignal<readonly Room[]>;
  /** Of all of them: how many rooms have something unread, and how many posts name me. */
  readonly roomTotals: ReadonlySignal<{ readonly unread: number; readonly mentions: number }>;
  /** Undefined for what is none of mine; the same signal for the same id. */
  room(id: string): ReadonlySignal<Room | undefined>;
  /**
   * thread, draft, attached, typing, watchers, look and leave take the id of a room as well; `look`
   * subscribes to it, `leave` ends that.
   */
  openDirect(user: string): Promise<Outcome>;
  createChannel(name: string, isPrivate: boolean, members: readonly string[]): Promise<Outcome>;
  joinRoom(id: string): Promise<Outcome>;
  leaveRoom(id: string): Promise<Outcome>;
  inviteTo(id: string, user: string): Promise<Outcome>;
  removeFrom(id: string, user: string): Promise<Outcome>;
  renameRoom(id: string, name: string): Promise<Outcome>;
  archiveRoom(id: string, on: boolean): Promise<Outcome>;
  post(id: string, text: string, mentions?: readonly string[], media?: readonly MediaRef[]): Promise<Outcome>;
  editPost(id: string, n: number, text: string, mentions?: readonly string[]): Promise<Outcome>;
  deletePost(id: string, n: number): Promise<Outcome>;
  markRoomUnread(id: string): Promise<Outcome>;

  /** Whose number this is; asked for in batches on first use, and kept up to date. */
  contact(number: string): ReadonlySignal<ContactName | undefined>;

  reconnectNow(): void;
  signOut(everywhere?: boolean): Promise<void>;
  /** Every notice, in order; returns how to stop. */
  onNotice(listener: (notice: Notice) => void): () => void;
}
