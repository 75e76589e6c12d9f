/** What a person does, by the names of the store's methods: done by parts that are loaded later. */
import type { Store } from "../contract";

export const ACTS = [
  "assign",
  "transfer",
  "giveBack",
  "markDone",
  "undo",
  "markUnread",
  "snooze",
  "wake",
  "setAway",
  "reply",
  "note",
  "retry",
  "compose",
  "openDirect",
  "createChannel",
  "joinRoom",
  "leaveRoom",
  "inviteTo",
  "removeFrom",
  "renameRoom",
  "archiveRoom",
  "post",
  "editPost",
  "deletePost",
  "markRoomUnread",
] as const;

export type Acting = Pick<Store, (typeof ACTS)[number]>;
