/** What a person reads and does, loaded before they open a conversation: the first paint does without. */
import type { Past as PastFace } from "../contract";
import { Acts, type ActsIo } from "./acts";
import { Away } from "./away";
import type { Core } from "./core";
import { Past } from "./past";
import { RoomActs } from "./room_acts";
import { RoomFeed } from "./room_feed";
import { isRoom } from "./rooms";
import { inboxOf } from "./rows";
import { Replies, type Drafts, type Outbox } from "./replies";
import { Threads } from "./threads";
import { Watching } from "./watching";
import type { Writes } from "./writes";

export interface DeedsParts {
  readonly core: Core;
  /** An inbox is on the screen. */
  readonly show: (inbox: string) => void;
  /** An id for a request of one's own. */
  readonly nextId: () => number;
  readonly writes: Writes;
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
  readonly rooms: RoomActs;
  readonly feed: RoomFeed;
  private readonly core: Core;

  constructor({ core, show, nextId, writes, outbox, drafts, io }: DeedsParts) {
    const follow = (conv: string): boolean => {
      if (isRoom(conv)) return this.feed.follow(conv);
      show(inboxOf(conv));
      return false;
    };
    this.core = core;
    const threads = (this.threads = new Threads(core, follow));
    this.feed = new RoomFeed(core, threads, writes, nextId);
    this.acts = new Acts(core, threads, writes, io);
    this.replies = new Replies(core, threads, this.acts, outbox, drafts, io);
    this.watching = new Watching(core);
    this.away = new Away(core, io);
    this.rooms = new RoomActs(core, this.acts, io);
  }

  /** The stretch around the line `n`. */
  around(conv: string, n: number): PastFace {
    return new Past(this.core, conv, n).face;
  }
}
