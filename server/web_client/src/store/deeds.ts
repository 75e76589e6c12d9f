/** What a person reads and does, loaded before they open a conversation: the first paint does without. */
import { Acts, type ActsIo } from "./acts";
import { Away } from "./away";
import type { Core } from "./core";
import { RoomActs } from "./room_acts";
import { Replies, type Drafts, type Outbox } from "./replies";
import { Threads } from "./threads";
import { Watching } from "./watching";
import type { Writes } from "./writes";

export interface DeedsParts {
  readonly core: Core;
  /** An inbox is on the screen. */
  readonly show: (inbox: string) => void;
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

  constructor({ core, show, writes, outbox, drafts, io }: DeedsParts) {
    const threads = (this.threads = new Threads(core, show));
    this.acts = new Acts(core, threads, writes, io);
    this.replies = new Replies(core, threads, this.acts, outbox, drafts, io);
    this.watching = new Watching(core);
    this.away = new Away(core, io);
    this.rooms = new RoomActs(core, this.acts, io);
  }
}
