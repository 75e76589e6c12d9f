// Generated from wire.py, errors.py and domain/model.py by `make gen`; edits are lost.

export const VERSION = 1;

export const JSON_SUBPROTOCOL = "batonbox.v1.json";

export const Op = {
  HELLO: 0,
  CMD: 1,
  SUB: 2,
  UNSUB: 3,
  SEEN: 4,
  REFRESH: 5,
  PONG: 6,
  PAGE: 7,
  HISTORY: 8,
  CHECK: 9,
  VIEWING: 10,
  GROUP: 11,
  WELCOME: 16,
  OK: 17,
  ERR: 18,
  SNAP: 19,
  EV: 20,
  ME: 21,
  BADGE: 22,
  RESET: 23,
  GOAWAY: 24,
  PING: 25,
  AUTH: 26,
  UNSUBD: 27,
  STATUS: 28,
  ORG: 29,
  PRESENCE: 30,
  TYPING: 31,
  NOTIFY: 32,
  CONV: 33,
  ROOM: 34,
  ROOMS: 35,
  CONTACTS: 36,
} as const;

export const Close = {
  DRAIN: 4000,
  SLOW: 4002,
  NO_PONG: 4003,
  RATE: 4004,
  EXPIRED: 4100,
  REVOKED: 4101,
  ROLES_CHANGED: 4102,
  BAD_FRAME: 4400,
  UNAUTHORIZED: 4401,
  FORBIDDEN: 4403,
  REPLACED: 4405,
  VERSION: 4406,
  NO_HELLO: 4408,
  TOO_BIG: 4413,
  TOO_MANY: 4429,
} as const;

export const CLOSE_RANGES = [
  [4000, 4099, "reconnect and resume"],
  [4100, 4199, "fetch a new token first, then reconnect"],
  [4400, 4499, "stop; a person has to act"],
] as const;

export type Status = "unassigned" | "assigned" | "done";

export type Kind = "received" | "assigned" | "transferred" | "returned" | "done" | "undone" | "replied" | "composed" | "noted" | "snoozed" | "woken" | "answered" | "delivery_changed" | "inbox_created" | "inbox_changed" | "inbox_deleted" | "member_joined" | "member_removed" | "purged" | "room_created" | "room_changed" | "posted" | "edited" | "deleted";

export type Delivery = "" | "queued" | "sent" | "delivered" | "failed";

export type View = "unassigned" | "mine" | "others" | "open" | "done" | "all" | "walk";

export type RoomKind = "direct" | "public" | "private";

/** A conversation's state: an absolute register. */
export interface Row {
  /** the conversation; begins with its inbox's id and a dot */
  id: string;
  /** our number, E.164 */
  our: string;
  /** the customer's number, E.164 */
  customer: string;
  /** unassigned, assigned or done; open = the first two */
  status: Status;
  /** the owner; empty for nobody */
  assignee: string;
  /** ownership token: send it back with fenced commands; opaque */
  own_tok: string;
  /** seq of the last change; compare only between two RESETs */
  rev: number;
  /** attention mark, compared for equality only; SEEN and `reply.seen` carry it */
  att: string;
  /** mark of the last inbound message; `done.seen` carries it */
  in_seq: string;
  /** last change, epoch ms; lists are ordered by it */
  last_ms: number;
  /** oldest unanswered inbound, epoch ms; 0 for none */
  waiting_since: number;
  /** who owned it before; empty for nobody */
  last_assignee: string;
  /** inbound messages since the last reply or done */
  unanswered: number;
  /** beginning of the last message */
  preview: string;
  /** number of messages */
  n: number;
  /** its owner put it aside until then, epoch ms; 0: not */
  snoozed_until: number;
  /** the customer wants no messages from our number since then, epoch ms; 0: they do */
  opted_out: number;
}

/** A room's state: an absolute register. */
export interface RoomRow {
  /** the room; begins with ~ */
  id: string;
  /** direct, public or private: the last two are channels */
  kind: RoomKind;
  /** of a channel; empty for a direct room */
  name: string;
  /** the two of a direct room; empty for a channel */
  people: string[];
  /** closed to posts since then, epoch ms; 0: not */
  archived: number;
  /** seq of the last change; compare only between two RESETs */
  rev: number;
  /** number of lines */
  n: number;
  /** how many of them people wrote; SEEN carries it */
  posts: number;
  /** last post, epoch ms; lists are ordered by it */
  last_ms: number;
  /** who wrote it; empty for nobody */
  last_by: string;
  /** beginning of the last post */
  preview: string;
}

export interface Counts {
  unassigned: number;
  open: number;
  done: number;
}

/** Mine as of `seq`; of the waiting ones either the unread (`blue`) or the read (`seen`). */
export interface Marks {
  seq: number;
  mv: number;
  green: string[];
  blue?: string[];
  seen?: string[];
}

export interface Before {
  status: Status;
  assignee: string;
  att: string;
}

/** What an event says besides its text; `conv` and `row` are absent for events of the inbox. */
export interface Meta {
  type: Kind;
  conv?: string;
  actor?: string;
  cid?: string;
  unseen?: boolean;
  n?: number;
  state?: Delivery;
  reason?: string;
  mentions?: string[];
  row?: Row;
  before?: Before;
  user?: string;
  role?: string;
  joined?: boolean;
  whole?: boolean;
  at_ms?: number;
}

/** A file of a message; `type` is "" and `size` 0 until it has been fetched from the carrier. */
export interface Media {
  id: string;
  type: string;
  size: number;
  name: string;
}

/** A message's, a note's or a system line's content. */
export interface Body {
  text?: string;
  media?: Media[];
  mentions?: string[];
  to?: string;
  note?: string;
  reason?: string;
  until_ms?: number;
}

export type Message = [
  n: number,
  seq: number,
  at_ms: number,
  kind: Kind,
  actor: string,
  cid: string,
  state: Delivery | "",
  body: Body | null,
  reason?: string,
];

/** signed in; `exp` is the token's end in ms (0: none) */
export type WelcomeFrame = [
  op: 16,
  conn: string,
  user: string,
  ping_s: number,
  limits: Record<string, number>,
  build: string,
  exp: number,
  now_ms: number,
];

/** the request took effect; `result` is a map */
export type OkFrame = [
  op: 17,
  id: number | null,
  result: Record<string, unknown>,
];

/** refused; `cur` is the conversation's row */
export type ErrFrame = [
  op: 18,
  id: number | null,
  code: number,
  slug: string,
  msg: string,
  retry_ms?: number | null,
  cur?: Row | null,
];

/** state at `seq`: counts {unassigned, open, done}, my marks, newest open rows */
export type SnapFrame = [
  op: 19,
  inbox: string,
  epoch: string,
  seq: number,
  tip: string,
  counts: Counts,
  me: Marks,
  rows: Row[],
  next?: string | number | null,
];

/** one event of the inbox's log */
export type EvFrame = [
  op: 20,
  inbox: string,
  seq: number,
  meta: Meta,
  body: Body | null,
  tip: string,
];

/** my marks as of `seq`, absolute: {seq, mv, green: [conv], blue: [conv] or seen: [conv]} */
export type MeFrame = [
  op: 21,
  inbox: string,
  marks: Marks,
];

/** absolute totals for me */
export type BadgeFrame = [
  op: 22,
  inbox: string,
  blue: number,
  green: number,
  unassigned: number,
  seq: number,
];

/** discard every row of the inbox (fork, epoch, trimmed, perm); SNAP follows unless perm */
export type ResetFrame = [
  op: 23,
  inbox: string,
  reason: string,
  lost: string[],
];

/** open a new connection after `after_ms`, then close this */
export type GoawayFrame = [
  op: 24,
  after_ms: number,
  deadline_ms: number,
];

/** answer with PONG */
export type PingFrame = [
  op: 25,
];

/** the token expires; REFRESH before the deadline */
export type AuthFrame = [
  op: 26,
  deadline_s: number,
];

/** the subscription ended, with an error number */
export type UnsubdFrame = [
  op: 27,
  inbox: string,
  code: number,
];

/** {degraded: bool}: the engine is unreachable, or back */
export type StatusFrame = [
  op: 28,
  status: { degraded: boolean },
];

/** kind `state` {user, inboxes, users}; then `inbox`, `inbox_gone`, `user`, `user_gone` */
export type OrgFrame = [
  op: 29,
  kind: string,
  data: Record<string, unknown>,
];

/** {user: online | away | offline}, of who changed; the first one of all not offline */
export type PresenceFrame = [
  op: 30,
  states: Record<string, "online" | "away" | "offline">,
];

/** {user: viewing | typing}, absolute: who else looks at the conversation I look at */
export type TypingFrame = [
  op: 31,
  conv: string,
  who: Record<string, "viewing" | "typing">,
];

/** for me alone: `handed_to_you`, `taken_from_you`, `woken`, `mention`, `direct` (a post in a direct room), `added` (to a channel); data {by, ...} */
export type NotifyFrame = [
  op: 32,
  kind: string,
  inbox: string,
  conv: string,
  data: Record<string, unknown>,
];

/** opening of a level `conv:<id>` subscription */
export type ConvFrame = [
  op: 33,
  inbox: string,
  conv: string,
  seq: number,
  row: Row,
  messages: Message[],
  next?: string | number | null,
];

/** one of my rooms moved, absolute: its row, how many posts and mentions I have not seen; state null: it is none of mine any more */
export type RoomFrame = [
  op: 34,
  room: string,
  state: RoomRow | null,
  unread: number,
  mentions: number,
];

/** all my rooms, absolute: [[row, unread, mentions], ...]; once, unasked */
export type RoomsFrame = [
  op: 35,
  rooms: [RoomRow, number, number][],
];

/** {number: {id, name} or null}: whose numbers these are now; null: forget all, ask again */
export type ContactsFrame = [
  op: 36,
  names: Record<string, { id: string; name: string } | null> | null,
];

export type ServerFrame =
  | WelcomeFrame
  | OkFrame
  | ErrFrame
  | SnapFrame
  | EvFrame
  | MeFrame
  | BadgeFrame
  | ResetFrame
  | GoawayFrame
  | PingFrame
  | AuthFrame
  | UnsubdFrame
  | StatusFrame
  | OrgFrame
  | PresenceFrame
  | TypingFrame
  | NotifyFrame
  | ConvFrame
  | RoomFrame
  | RoomsFrame
  | ContactsFrame;

export interface AssignArgs {
  cid: string;
  dur?: string | null;
  conv: string;
  to?: string | null;
}

export interface TransferArgs {
  cid: string;
  dur?: string | null;
  conv: string;
  to: string;
  own_tok?: string | null;
  note?: string | null;
}

export interface ReturnArgs {
  cid: string;
  dur?: string | null;
  conv: string;
  own_tok?: string | null;
}

export interface DoneArgs {
  cid: string;
  dur?: string | null;
  conv: string;
  own_tok?: string | null;
  seen?: string | null;
}

export interface UndoArgs {
  cid: string;
  dur?: string | null;
  conv: string;
  own_tok?: string | null;
}

export interface ReplyArgs {
  cid: string;
  dur?: string | null;
  conv: string;
  text: string;
  own_tok?: string | null;
  media?: string[];
  seen?: string | null;
}

export interface NoteArgs {
  cid: string;
  dur?: string | null;
  conv: string;
  text: string;
  mentions?: string[];
}

export interface ComposeArgs {
  cid: string;
  dur?: string | null;
  inbox: string;
  to: string;
  text: string;
  from?: string | null;
  media?: string[];
}

export interface RetryArgs {
  cid: string;
  dur?: string | null;
  conv: string;
  n: number;
}

export interface UnreadArgs {
  cid: string;
  dur?: string | null;
  conv: string;
}

export interface SnoozeArgs {
  cid: string;
  dur?: string | null;
  conv: string;
  until_ms: number;
  own_tok?: string | null;
}

export interface WakeArgs {
  cid: string;
  dur?: string | null;
  conv: string;
  own_tok?: string | null;
}

export interface SetAwayArgs {
  cid: string;
  dur?: string | null;
  away: boolean;
  release?: boolean;
}

export interface OpenDmArgs {
  cid: string;
  dur?: string | null;
  user: string;
}

export interface CreateArgs {
  cid: string;
  dur?: string | null;
  name: string;
  private?: boolean;
  members?: string[];
}

export interface JoinArgs {
  cid: string;
  dur?: string | null;
  conv: string;
}

export interface LeaveArgs {
  cid: string;
  dur?: string | null;
  conv: string;
}

export interface InviteArgs {
  cid: string;
  dur?: string | null;
  conv: string;
  user: string;
}

export interface RemoveArgs {
  cid: string;
  dur?: string | null;
  conv: string;
  user: string;
}

export interface RenameArgs {
  cid: string;
  dur?: string | null;
  conv: string;
  name: string;
}

export interface ArchiveArgs {
  cid: string;
  dur?: string | null;
  conv: string;
  on?: boolean;
}

export interface PostArgs {
  cid: string;
  dur?: string | null;
  conv: string;
  text: string;
  mentions?: string[];
  media?: string[];
}

export interface EditArgs {
  cid: string;
  dur?: string | null;
  conv: string;
  n: number;
  text: string;
  mentions?: string[];
}

export interface DeleteArgs {
  cid: string;
  dur?: string | null;
  conv: string;
  n: number;
}

export interface Commands {
  assign: AssignArgs;
  transfer: TransferArgs;
  return: ReturnArgs;
  done: DoneArgs;
  undo: UndoArgs;
  reply: ReplyArgs;
  note: NoteArgs;
  compose: ComposeArgs;
  retry: RetryArgs;
  unread: UnreadArgs;
  snooze: SnoozeArgs;
  wake: WakeArgs;
  set_away: SetAwayArgs;
  open_dm: OpenDmArgs;
  create: CreateArgs;
  join: JoinArgs;
  leave: LeaveArgs;
  invite: InviteArgs;
  remove: RemoveArgs;
  rename: RenameArgs;
  archive: ArchiveArgs;
  post: PostArgs;
  edit: EditArgs;
  delete: DeleteArgs;
}

/** Commands that must carry the row's own_tok. */
export const FENCED = ["done", "reply", "return", "snooze", "transfer", "undo", "wake"] as const;

export const ERRORS = {
  internal: { number: 100, retryable: true },
  unauthorized: { number: 101, retryable: false },
  forbidden: { number: 103, retryable: false },
  unknown_op: { number: 104, retryable: false },
  bad_request: { number: 107, retryable: false },
  token_expired: { number: 109, retryable: false },
  rate_limited: { number: 111, retryable: true },
  unrecoverable_position: { number: 112, retryable: false },
  conflict: { number: 120, retryable: false },
  not_owner: { number: 121, retryable: false },
  stale_token: { number: 122, retryable: false },
  not_found: { number: 123, retryable: false },
  new_activity: { number: 124, retryable: false },
  recipient_opted_out: { number: 125, retryable: false },
  target_not_member: { number: 126, retryable: false },
  number_not_routed: { number: 127, retryable: false },
  idempotency_mismatch: { number: 128, retryable: false },
  not_undoable: { number: 129, retryable: false },
  media_refused: { number: 132, retryable: false },
  unavailable: { number: 130, retryable: true },
  durability_timeout: { number: 131, retryable: true },
} as const;
