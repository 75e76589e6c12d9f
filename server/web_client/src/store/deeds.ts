/** What a person reads and does, loaded before they open a conversation: the first paint does without. */
import type { Past as PastFace } from "../contract";
import type { Acting } from "./acting";
import { Acts, type ActsIo } from "./acts";
import { Away } from "./away";
import type { Core } from "./core";
import type { Looks } from "./looks";
import { Losses } from "./losses";
import { noticesOf } from "./notices";
import { Past } from "./past";
import { RoomActs } from "./room_acts";
import { RoomFeed } from "./room_feed";
import { isRoom } from "./rooms";
import { inboxOf } from "./rows";
import { Replies, type Drafts, type Outbox } from "./replies";
import type { EventMeta } from "./shapes";
import { Threads } from "./threads";
import { Watching } from "./watching";
import { Writes } from "./writes";

export interface DeedsParts {
  readonly core: Core;
  /** An inbox is on the screen. */
  readonly show: (inbox: string) => void;
  /** An id for a request of one's own. */
  readonly nextId: () => number;
  readonly looks: Looks;
  readonly outbox: () => Outbox;
  readonly drafts: Drafts;
  readonly io: ActsIo;
}

export class Deeds {
  readonly threads: Threads;
  readonly acts: Acts;
  readonly replies: Replies;
  readonly watching: Watching;
  readonly away: Away;
  readonly feed: RoomFeed;
  readonly losses: Losses;
  readonly acting: Acting;
  private readonly core: Core;
  private readonly drafts: Drafts;

  constructor({ core, show, nextId, looks, outbox, drafts, io }: DeedsParts) {
    const follow = (conv: string): boolean => {
      if (isRoom(conv)) return this.feed.follow(conv);
      show(inboxOf(conv));
      return false;
    };
    this.core = core;
    this.drafts = drafts;
    const threads = (this.threads = new Threads(core, follow));
    const writes = new Writes();
    this.losses = new Losses(core, writes);
    this.feed = new RoomFeed(core, threads, this.losses, nextId);
    this.acts = new Acts(core, threads, writes, io);
    this.replies = new Replies(core, threads, this.acts, outbox, drafts, io);
    this.watching = new Watching(core);
    this.away = new Away(core, io);
    this.acting = this.act(new RoomActs(core, this.acts, io), looks);
  }

  private act(rooms: RoomActs, looks: Looks): Acting {
    const { acts, replies, watching, away } = this;
    return {
      assign: (...words) => acts.assign(...words),
      transfer: (...words) => acts.transfer(...words),
      giveBack: (id) => acts.giveBack(id),
      markDone: (id) => acts.markDone(id),
      undo: (id) => acts.undo(id),
      markUnread: (id) => {
        looks.leave(id); // or the next message's arrival would read it again
        return acts.markUnread(id);
      },
      snooze: (...words) => acts.snooze(...words),
      wake: (id) => acts.wake(id),
      setAway: (...words) => away.set(...words),
      reply: (id, ...words) => {
        watching.sent(id);
        return replies.reply(id, ...words);
      },
      note: (...words) => replies.note(...words),
      retry: (...words) => acts.retry(...words),
      compose: (...words) => acts.compose(...words),
      openDirect: (user) => rooms.openDirect(user),
      createChannel: (...words) => rooms.create(...words),
      joinRoom: (id) => rooms.join(id),
      leaveRoom: (id) => rooms.leave(id),
      inviteTo: (...words) => rooms.invite(...words),
      removeFrom: (...words) => rooms.remove(...words),
      renameRoom: (...words) => rooms.rename(...words),
      archiveRoom: (...words) => rooms.archive(...words),
      post: (id, ...words) => {
        watching.sent(id);
        return replies.post(id, ...words);
      },
      editPost: (id, n, text, mentions = []) => rooms.edit(id, n, text, mentions),
      deletePost: (...words) => rooms.delete(...words),
      markRoomUnread: (id) => {
        looks.leave(id);
        return rooms.markUnread(id);
      },
    };
  }

  /** Tell of an event of an inbox that this person has joined. */
  happened(meta: EventMeta): void {
    const { core, drafts } = this;
    const notices = noticesOf(meta, core.userId, core.serverNowMs, (conv) => drafts.holds(conv));
    for (const notice of notices) core.notice(notice);
  }

  /** The stretch around the line `n`. */
  around(conv: string, n: number): PastFace {
    return (this.threads.past = new Past(this.core, conv, n)).face;
  }
}
