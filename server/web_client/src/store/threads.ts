/** The threads that are loaded, few and bounded, kept up by events and read from HISTORY. */
import { signal } from "@preact/signals";
import type { Line, Thread } from "../contract";
import { Op, type Message, type RoomRow, type Row } from "../wire";
import type { Core } from "./core";
import type { Past } from "./past";
import type { Answer } from "./requests";
import { isRoom } from "./rooms";
import { inboxOf } from "./rows";
import type { Body, EventMeta } from "./shapes";
import { LINES_KEPT, LINES_OPEN_MAX, ThreadModel } from "./thread";

export const THREADS_MAX = 30;
const PAGE = 50;
const REFILL = 200;
const REFILL_PAGES_MAX = 5;
const TRIM_SLACK = 50;

interface HistoryAnswer {
  readonly row: Row | RoomRow;
  readonly messages: readonly Message[];
  readonly next: number | null;
  readonly seq: number;
}

class Open {
  readonly model = new ThreadModel();
  /** It is on a screen. */
  watched = false;
  readonly lines = signal<readonly Line[]>([], {
    watched: () => void (this.watched = true),
    unwatched: () => void (this.watched = false),
  });
  readonly loading = signal(true);
  readonly atStart = signal(false);
  readonly unreadFrom = signal(0);
  /** Of a room that was just opened: how many of its posts I had seen. */
  read: number | null = null;
  /** A person looks at it. */
  looked = false;
  /** A request under way: of the newest page or of an older one. */
  asking = false;
  /** Load down to this number before anything is shown again; 0: show. */
  refill = 0;
  refilled = 0;
  /** Moves at a reset: answers from before do not count. */
  generation = 0;
  /** The position at which the newest page was read. */
  asOf = -1;
  readonly face: Thread;

  /** Somebody looks, or something of mine is under way. */
  get kept(): boolean {
    return this.looked || this.watched || this.model.ownLines.length > 0;
  }

  constructor(
    readonly conv: string,
    older: () => void,
  ) {
    const { lines, loading, atStart, unreadFrom } = this;
    this.face = { lines, loading, atStart, unreadFrom, older };
  }
}

export class Threads {
  private readonly open = new Map<string, Open>();
  /** What was last opened away from the newest end. */
  past: Past | null = null;

  constructor(
    private readonly core: Core,
    /** True when it was not followed until now. */
    private readonly follow: (conv: string) => boolean,
  ) {}

  has(conv: string): boolean {
    return this.open.has(conv);
  }

  /** Loads the newest page on first use; of a room again when it was left meanwhile. */
  thread(conv: string): Thread {
    const known = this.open.get(conv);
    const thread = this.opened(conv);
    if (!isRoom(conv)) {
      if (known === undefined) this.follow(conv);
      return thread.face;
    }
    const opened = this.follow(conv);
    if (!opened && thread.model.loaded) return thread.face;
    const room = this.core.rooms.get(conv);
    thread.read = room === undefined ? null : room.posts - room.unread;
    thread.unreadFrom.value = 0;
    if (opened && known !== undefined) this.restart(thread);
    return thread.face;
  }

  private opened(conv: string): Open {
    let thread = this.open.get(conv);
    if (thread === undefined) {
      thread = new Open(conv, () => this.older(conv));
      this.open.set(conv, thread);
      this.evict();
      this.read(thread);
    } else {
      this.open.delete(conv);
      this.open.set(conv, thread);
    }
    return thread;
  }

  look(conv: string): void {
    const thread = this.open.get(conv);
    if (thread === undefined || thread.looked) return;
    thread.looked = true;
  }

  leave(conv: string): void {
    const thread = this.open.get(conv);
    if (thread === undefined) return;
    thread.looked = false;
    if (thread.model.trim(LINES_KEPT)) this.show(thread);
  }

  /** The next event of the conversation's inbox. */
  event(conv: string, seq: number, meta: EventMeta, body: Body | null): void {
    this.past?.event(conv, meta, body);
    const thread = this.open.get(conv);
    if (thread === undefined) return;
    const { model } = thread;
    if (!model.loaded && !thread.asking) this.read(thread); // it was refused: there was nothing yet
    const result = model.event(seq, meta, body);
    if (result === "ignored") return;
    if (result === "gap") {
      this.restart(thread);
      return;
    }
    model.trim(thread.looked || thread.watched ? LINES_OPEN_MAX : LINES_KEPT + TRIM_SLACK);
    this.show(thread);
  }

  /** What was read before a snapshot may have holes, or be of another history: read it again. */
  resync(inbox: string, snapshot: { readonly seq: number; readonly first: boolean }): void {
    for (const thread of [...this.open.values()]) {
      if (inboxOf(thread.conv) !== inbox) continue;
      if (snapshot.first && (!thread.model.loaded || thread.asOf >= snapshot.seq)) continue;
      if (thread.kept) this.restart(thread);
      else this.close(thread);
    }
  }

  /** The inbox is not mine to see any more. */
  drop(inbox: string): void {
    for (const thread of [...this.open.values()]) {
      if (inboxOf(thread.conv) !== inbox) continue;
      thread.model.reset();
      thread.lines.value = [];
      this.close(thread);
    }
  }

  /** Read the newest page again, in place. */
  reread(conv: string): void {
    const thread = this.open.get(conv);
    if (thread !== undefined) this.restart(thread);
  }

  say(conv: string, line: Line): void {
    if (!isRoom(conv)) this.thread(conv);
    const thread = this.opened(conv);
    thread.model.say(line);
    this.show(thread, true);
  }

  unsay(conv: string, cid: string): void {
    const thread = this.open.get(conv);
    if (thread === undefined) return;
    thread.model.unsay(cid);
    this.show(thread, true);
  }

  /** Every unconfirmed line of mine: [conversation, cid]. */
  saying(): [string, string][] {
    const found: [string, string][] = [];
    for (const thread of this.open.values()) {
      for (const line of thread.model.ownLines) found.push([thread.conv, line.key.slice(2)]);
    }
    return found;
  }

  /** My unconfirmed line, if it is one still. */
  said(conv: string, cid: string): Line | undefined {
    return this.open.get(conv)?.model.ownLines.find((line) => line.key === `c:${cid}`);
  }

  hasCid(conv: string, cid: string): boolean {
    return this.open.get(conv)?.model.hasCid(cid) ?? false;
  }

  line(conv: string, n: number): Line | undefined {
    return this.open.get(conv)?.model.line(n);
  }

  private older(conv: string): void {
    const thread = this.open.get(conv);
    if (thread === undefined || thread.asking) return;
    const { model } = thread;
    if (!model.loaded || model.atStart || model.size >= LINES_OPEN_MAX) return;
    this.core.step(() => this.ask(thread, model.lowest, PAGE));
  }

  private restart(thread: Open): void {
    const { model } = thread;
    if (model.loaded) thread.refill = model.lowest;
    thread.refilled = 0;
    model.reset();
    this.read(thread);
  }

  private read(thread: Open): void {
    thread.generation++;
    thread.asking = false;
    this.ask(thread, 0, thread.refill > 0 ? REFILL : PAGE);
  }

  private ask(thread: Open, before: number, n: number): void {
    const { generation } = thread;
    thread.asking = true;
    thread.loading.value = true;
    const asked = this.core.out.ask(Op.HISTORY, [thread.conv, before, n], (answer) => {
      if (this.open.get(thread.conv) !== thread || thread.generation !== generation) return;
      thread.asking = false;
      this.answered(thread, before, answer);
      thread.loading.value = thread.asking;
    });
    if (!asked) thread.asking = thread.loading.value = false;
  }

  private answered(thread: Open, before: number, answer: Answer): void {
    if (answer.kind !== "ok") {
      thread.refill = 0;
      return;
    }
    const { row, messages, next, seq } = answer.result as HistoryAnswer;
    const { model } = thread;
    if (before === 0) {
      // Between this page and the snapshot nothing was told.
      if (seq < this.core.log(thread.conv).since) return this.read(thread);
      thread.asOf = seq;
      if (!this.believed(row, seq) || !model.newest(messages, next, seq)) return this.read(thread);
      this.divide(thread, row);
    } else if (!model.older(messages, next, seq, before)) {
      thread.refill = 0;
    }
    this.refillOrShow(thread);
  }

  /** Take in the row that came with a page; false: what was evicted since may have been newer. */
  private believed(row: Row | RoomRow, seq: number): boolean {
    if (!("assignee" in row)) return true; // ROOM frames say what a room is
    if (!this.core.rows.trusts(row.id, seq)) return false;
    this.core.put(row, seq);
    return true;
  }

  /** Where what I had not seen of a room begins. */
  private divide(thread: Open, row: Row | RoomRow): void {
    if (thread.read === null || !("posts" in row)) return;
    const unseen = row.posts - thread.read;
    thread.read = null;
    if (unseen <= 0) return;
    const posts = thread.model.lines().filter((line) => line.kind === "posted" && line.n > 0);
    thread.unreadFrom.value = posts[Math.max(0, posts.length - unseen)]?.n ?? 0;
  }

  private refillOrShow(thread: Open): void {
    const { model } = thread;
    if (thread.refill > 0 && model.loaded && !model.atStart && model.lowest > thread.refill) {
      thread.refilled++;
      if (thread.refilled < REFILL_PAGES_MAX) return this.ask(thread, model.lowest, REFILL);
    }
    thread.refill = 0;
    this.show(thread);
  }

  private show(thread: Open, own = false): void {
    const { model } = thread;
    if (thread.refill > 0 || (!model.loaded && !own)) return;
    thread.lines.value = model.loaded ? model.lines() : this.withOwn(thread);
    if (model.loaded) thread.atStart.value = model.atStart;
  }

  /** While nothing is loaded, what was shown stays, and my own lines with it. */
  private withOwn(thread: Open): Line[] {
    const shown = thread.lines.peek().filter((line) => line.n > 0);
    return [...shown, ...thread.model.ownLines];
  }

  private close(thread: Open): void {
    this.open.delete(thread.conv);
    this.core.views.refresh(thread.conv); // it is pinned no more: what is not known is not shown
  }

  private evict(): void {
    if (this.open.size <= THREADS_MAX) return;
    for (const thread of this.open.values()) {
      if (thread.kept) continue;
      this.close(thread);
      if (this.open.size <= THREADS_MAX) return;
    }
  }
}
