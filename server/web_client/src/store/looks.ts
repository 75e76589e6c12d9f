/** What is read: SEEN goes out for the present attention mark only, and is never sent again. */
import { Op } from "../wire";
import type { Core } from "./core";
import { isRoom } from "./rooms";
import { inboxOf } from "./rows";

export interface LooksIo {
  /** The page is visible and has the focus. */
  attentive(): boolean;
  /** Tell my other tabs. */
  seen(conv: string, att: string): void;
}

export class Looks {
  private readonly looked = new Set<string>();

  constructor(
    private readonly core: Core,
    private readonly io: LooksIo,
  ) {}

  /** A person looks at it. */
  look(conv: string): void {
    this.looked.add(conv);
    this.core.step(() => this.read(conv));
  }

  leave(conv: string): void {
    this.looked.delete(conv);
  }

  /** Its attention mark has changed, or only now is it known. */
  attention(conv: string): void {
    if (this.looked.has(conv) && this.io.attentive()) this.read(conv);
  }

  /** Another tab of mine has read it. */
  seenElsewhere(conv: string, att: string): void {
    if (isRoom(conv)) return this.core.step(() => this.core.rooms.glance(conv, Number(att)));
    const row = this.core.rows.get(conv);
    if (row?.att === att) this.core.step(() => this.core.glances.at(conv, att, "read"));
  }

  /** The connection is new: what no marks have confirmed may not have arrived. */
  reopened(): void {
    this.core.glances.forget();
    this.core.rooms.reopened();
    for (const conv of this.looked) this.attention(conv);
  }

  /** Another history: what was read in the one before may be unread in it. */
  restarted(inbox: string): void {
    this.core.glances.forget(inbox);
    for (const conv of this.looked) if (inboxOf(conv) === inbox) this.attention(conv);
  }

  private read(conv: string): void {
    const { core } = this;
    if (isRoom(conv)) return this.readRoom(conv);
    const row = core.shown(conv);
    if (row === undefined || row.att === "" || core.views.badge(conv) === "none") return;
    if (!core.out.tell([Op.SEEN, inboxOf(conv), conv, row.att])) return;
    core.glances.at(conv, row.att, "read");
    this.io.seen(conv, row.att);
  }

  /** A mark of mine in a room is how many of its posts I have seen. */
  private readRoom(room: string): void {
    const { rooms, out } = this.core;
    const { unread = 0, posts = 0 } = rooms.get(room) ?? {};
    const att = String(posts);
    if (unread === 0 || !out.tell([Op.SEEN, room, room, att])) return;
    rooms.glance(room, posts);
    this.io.seen(room, att);
  }
}
