/** My rooms as the server tells them: absolute, kept whole in memory. */
import { signal, type ReadonlySignal, type Signal } from "@preact/signals";
import type { Room } from "../contract";
import type { RoomFrame, RoomRow, RoomsFrame } from "../wire";
import type { Core } from "./core";

/** For so long a look of mine goes before what may have been said before it. */
const GLANCE_MS = 5000;
const NONE = { unread: 0, mentions: 0 };
const NO_ROOM: ReadonlySignal<Room | undefined> = signal(undefined);

/** Ids of rooms begin with this, and no inbox's do. */
export const isRoom = (id: string): boolean => id.startsWith("~");

interface Told {
  readonly row: RoomRow;
  readonly unread: number;
  readonly mentions: number;
}

function shown({ row, unread, mentions }: Told, seen: number): Room {
  const left = Math.max(0, Math.min(unread, row.posts - seen));
  const { id, kind, name, people, posts, preview } = row;
  return {
    id,
    kind,
    name,
    people,
    archived: row.archived > 0,
    lastMs: row.last_ms,
    lastBy: row.last_by,
    preview,
    posts,
    unread: left,
    mentions: left === 0 ? 0 : mentions,
  };
}

const newestFirst = (a: Room, b: Room): number => b.lastMs - a.lastMs || (a.id < b.id ? -1 : 1);

export class Rooms {
  readonly list = signal<readonly Room[]>([]);
  readonly totals = signal(NONE);
  private readonly told = new Map<string, Told>();
  /** Up to which post I have looked, until the server's word includes it. */
  private readonly glances = new Map<string, number>();
  private readonly signals = new Map<string, Signal<Room | undefined>>();

  constructor(private readonly core: Core) {}

  /** ROOMS: all there are; returns those that are none of mine any more. */
  all([, rooms]: RoomsFrame): string[] {
    const gone = new Set(this.told.keys());
    this.told.clear();
    for (const [row, unread, mentions] of rooms) {
      this.told.set(row.id, { row, unread, mentions });
      gone.delete(row.id);
    }
    this.show([...gone, ...this.told.keys()]);
    return [...gone];
  }

  /** ROOM: one of them moved, or is none of mine any more. */
  moved([, id, row, unread, mentions]: RoomFrame): void {
    if (row === null) this.told.delete(id);
    else this.told.set(id, { row, unread, mentions });
    if (row !== null && row.posts - unread >= (this.glances.get(id) ?? 0)) this.glances.delete(id);
    this.show([id]);
  }

  get(id: string): Room | undefined {
    const told = this.told.get(id);
    return told && shown(told, this.glances.get(id) ?? 0);
  }

  room(id: string): ReadonlySignal<Room | undefined> {
    if (!isRoom(id)) return NO_ROOM;
    let room = this.signals.get(id);
    if (room === undefined) this.signals.set(id, (room = signal(this.get(id))));
    return room;
  }

  /** I have seen so many posts: say so before the server does. */
  glance(id: string, posts: number): void {
    this.glances.set(id, posts);
    this.core.out.later(GLANCE_MS, () => {
      if (this.glances.get(id) === posts) this.core.step(() => this.unglance(id));
    });
    this.show([id]);
  }

  unglance(id: string): void {
    if (this.glances.delete(id)) this.show([id]);
  }

  /** The connection is new: what was told on the one before may not have arrived. */
  reopened(): void {
    for (const id of [...this.glances.keys()]) this.unglance(id);
  }

  private show(ids: readonly string[]): void {
    for (const id of ids) {
      const room = this.get(id);
      const known = this.signals.get(id);
      if (known !== undefined) known.value = room;
    }
    const rooms = [...this.told.keys()].map((id) => this.get(id) as Room).sort(newestFirst);
    this.list.value = rooms;
    const unread = rooms.filter((room) => room.unread > 0).length;
    const mentions = rooms.reduce((sum, room) => sum + room.mentions, 0);
    const was = this.totals.peek();
    if (was.unread !== unread || was.mentions !== mentions) this.totals.value = { unread, mentions };
  }
}
