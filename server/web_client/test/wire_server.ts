/**
 * The model server's end of one client's connections. Nothing is delivered by itself: answers,
 * what is addressed to the client, and events of each inbox wait in lanes of their own, and the
 * test says which goes next; within a lane order holds, as the real server promises.
 */
import { Op, type Row, type View } from "../src/wire";
import type { FakeSocket } from "./environment";
import type { ModelInbox } from "./model";
import type { ModelRoom } from "./model_room";
import type { Rng } from "./random";

type Frame = unknown[];
/** What has a log that is subscribed to. */
type Log = ModelInbox | ModelRoom;

const isRoom = (id: string): boolean => id.startsWith("~");

export class WireServer {
  socket: FakeSocket | null = null;
  /** Requests that have arrived and not been carried out. */
  readonly requests: Frame[] = [];
  private answers: Frame[] = [];
  private control: Frame[] = [];
  /** Up to where events have been delivered, of listening seats. */
  private readonly cursors = new Map<string, number>();
  private readonly badges = new Map<string, string>();
  build = "b1";
  /** What the client says it looks at, and whether somebody types there. */
  viewing: unknown[] = [null, false];
  away = "";
  /** Inboxes that have not heard of me yet, though the organisation says that they are mine. */
  readonly deaf = new Set<string>();
  /** How many of each op went out. */
  readonly received: Frame[] = [];

  constructor(
    readonly user: string,
    readonly inboxes: readonly ModelInbox[],
    private readonly rng: Rng,
    private readonly nowMs: () => number,
    readonly rooms: readonly ModelRoom[] = [],
  ) {}

  private get logs(): readonly Log[] {
    return [...this.inboxes, ...this.rooms];
  }

  accept(socket: FakeSocket): void {
    socket.onsent = (frames) => {
      if (socket !== this.socket && socket.closed !== null) return;
      for (const frame of frames) {
        this.received.push(frame);
        if (frame[0] === Op.HELLO) this.hello(socket);
        else if (frame[0] === Op.VIEWING) this.viewing = frame.slice(1);
        else if (socket === this.socket) this.requests.push(frame);
      }
    };
  }

  private hello(socket: FakeSocket): void {
    this.socket = socket;
    this.requests.length = 0;
    this.answers = [];
    this.control = [];
    this.cursors.clear();
    const limits = { commands_in_flight: 16, subscriptions_max: 128 };
    socket.say(
      [Op.WELCOME, "c", this.user, 25, limits, this.build, 0, this.nowMs()],
      [Op.ORG, "state", this.organisation()],
    );
    const mine = this.rooms.map((room) => room.told()).filter((told) => told[2] !== null);
    if (this.rooms.length > 0) socket.say([Op.ROOMS, mine.map((told) => told.slice(2))]);
    this.badges.clear();
    this.tellTotals();
  }

  private organisation(): Record<string, unknown> {
    const users = ["me", "bo", "dee"].map((id) => ({ id, name: id, role: "member", away: id === "me" ? this.away : "" }));
    const inboxes = this.inboxes.map(({ id }) => ({
      id,
      name: id,
      numbers: ["+14165550100"],
      members: ["me", "bo", "dee"],
    }));
    return { user: users[0], users, inboxes };
  }

  /** The connection breaks; what waited is lost, requests that arrived may or may not be carried out. */
  cut(): void {
    const { socket } = this;
    if (socket === null) return;
    while (this.requests.length > 0 && this.rng.chance(0.5)) this.carryOut();
    this.requests.length = 0;
    this.socket = null;
    socket.end(1006);
  }

  /** Carry out the oldest request. */
  carryOut(): void {
    const frame = this.requests.shift();
    if (frame === undefined) return;
    const [op, id] = frame as [number, number];
    switch (op) {
      case Op.CMD:
        return this.command(id, String(frame[2]), frame[3] as Record<string, unknown>);
      case Op.SUB:
        for (const item of frame[2] as Frame[]) this.subscribe(item);
        this.answers.push([Op.OK, id, { subs: [] }]);
        return;
      case Op.UNSUB:
        for (const id of frame[1] as string[]) this.cursors.delete(id);
        return;
      case Op.SEEN:
        return this.seen(String(frame[1]), String(frame[2]), String(frame[3]));
      case Op.PAGE: {
        const inbox = this.inbox(String(frame[2]));
        this.answers.push([Op.OK, id, inbox.page(frame[3] as View, frame[4] as string | null, frame[5] as number)]);
        return;
      }
      case Op.HISTORY: {
        const conv = String(frame[2]);
        if (isRoom(conv)) return this.roomHistory(id, conv, frame[3] as number, frame[4] as number);
        const found = this.inbox(conv.split(".")[0] as string).history_(conv, frame[3] as number, frame[4] as number);
        this.answers.push(found ? [Op.OK, id, found] : [Op.ERR, id, 123, "not_found", "Check the id."]);
        return;
      }
      case Op.CHECK: {
        const inbox = this.logOf(String(frame[2]));
        const missing = (frame[3] as [number, string][]).filter(([seq, tip]) => inbox.tipAt(seq) !== tip);
        this.answers.push([Op.OK, id, { missing }]);
      }
    }
  }

  /** A page is read beside everything else: it may overtake what was asked before. */
  overtake(): void {
    const at = this.requests.findIndex(([op]) => op === Op.HISTORY);
    if (at > 0) this.requests.unshift(...this.requests.splice(at, 1));
  }

  /** Deliver something that waits, as one message of several frames perhaps; false: nothing waits. */
  deliver(max = 4): boolean {
    const frames: Frame[] = [];
    const many = 1 + this.rng.below(max);
    for (let i = 0; i < many; i++) {
      const lane = this.rng.maybe(this.lanes());
      if (lane === undefined) break;
      frames.push(lane());
    }
    if (frames.length === 0 || this.socket === null) return false;
    this.socket.say(...frames);
    return true;
  }

  /** An event is lost on the way: the client must notice the hole. */
  skip(inbox: Log): void {
    const at = this.cursors.get(inbox.id);
    if (at !== undefined && at + 1 < inbox.state.seq) this.cursors.set(inbox.id, at + 1);
  }

  /** The same event once more. */
  repeat(inbox: Log): void {
    const at = this.cursors.get(inbox.id) ?? 0;
    const entry = inbox.log.find((one) => one.seq === at);
    if (entry !== undefined) this.socket?.say(eventOf(inbox, entry));
  }

  /** The engine came back with another history; what was not answered yet fails with it. */
  forked(inbox: ModelInbox, lost: string[], common: number): void {
    this.answers = this.answers.map((frame) => {
      const seq = (frame[2] as { seq?: number }).seq ?? (frame[6] as Row | null)?.rev ?? 0;
      return seq > common ? [Op.ERR, frame[1], 130, "unavailable", "The engine is away."] : frame;
    });
    const waiting = this.control.some((frame) => frame[0] === Op.SNAP && frame[1] === inbox.id);
    const at = this.cursors.get(inbox.id);
    if (waiting) {
      this.withdraw(inbox);
      this.snap(inbox);
    } else if (at !== undefined && at > common) {
      this.cursors.delete(inbox.id);
      this.withdraw(inbox);
      this.control.push([Op.RESET, inbox.id, "fork", lost]);
      this.snap(inbox);
    }
    this.tellMarks(inbox);
  }

  /** What was said of a history that is no more; badges and resets stand. */
  private withdraw(inbox: ModelInbox): void {
    const void_: unknown[] = [Op.SNAP, Op.ME];
    this.control = this.control.filter((f) => !void_.includes(f[0]) || f[1] !== inbox.id);
  }

  tellMarks(inbox: ModelInbox): void {
    const opening = this.control.some((frame) => frame[0] === Op.SNAP && frame[1] === inbox.id);
    if (!opening && !this.cursors.has(inbox.id)) return;
    this.latest([Op.ME, inbox.id, inbox.marks()]);
  }

  /** Badges that have moved, absolute; the newest replaces one that is not out yet. */
  tellTotals(): void {
    if (this.socket === null) return;
    for (const inbox of this.inboxes) {
      const totals = inbox.totals();
      const values = totals.slice(2, 5).join(" ");
      if (this.badges.get(inbox.id) === values) continue;
      this.badges.set(inbox.id, values);
      this.latest(totals);
    }
    for (const room of this.rooms) {
      const told = room.told();
      const values = JSON.stringify(told);
      if (this.badges.get(room.id) === values) continue;
      const first = !this.badges.has(room.id);
      this.badges.set(room.id, values);
      if (!first || told[2] !== null) this.latest(told);
      if (told[2] === null && this.cursors.delete(room.id)) {
        this.control.push([Op.RESET, room.id, "perm", []], [Op.UNSUBD, room.id, 103]);
      }
    }
  }

  private latest(frame: Frame): void {
    this.control = this.control.filter((other) => other[0] !== frame[0] || other[1] !== frame[1]);
    this.control.push(frame);
  }

  get idle(): boolean {
    return this.requests.length === 0 && this.lanes().length === 0;
  }

  private lanes(): (() => Frame)[] {
    const lanes: (() => Frame)[] = [];
    if (this.answers.length > 0) lanes.push(() => this.answers.shift() as Frame);
    if (this.control.length > 0) lanes.push(() => this.next());
    for (const inbox of this.logs) {
      const at = this.cursors.get(inbox.id);
      const entry = at === undefined ? undefined : inbox.log.find((one) => one.seq === at + 1);
      if (entry === undefined) continue;
      lanes.push(() => {
        this.cursors.set(inbox.id, entry.seq);
        return eventOf(inbox, entry);
      });
    }
    return lanes;
  }

  private next(): Frame {
    const frame = this.control.shift() as Frame;
    // Events follow a snapshot from its position, once it is out.
    if (frame[0] === Op.SNAP) this.cursors.set(frame[1] as string, frame[3] as number);
    return frame;
  }

  private subscribe(item: Frame): void {
    const [id, , epoch, seq, tip] = item as [string, string, string?, number?, string?];
    const inbox = this.logOf(id);
    this.cursors.delete(id);
    this.control = this.control.filter((frame) => frame[0] !== Op.SNAP || frame[1] !== id);
    if (this.deaf.has(id)) {
      this.control.push([Op.UNSUBD, id, 103]);
      return;
    }
    if (epoch !== undefined && seq !== undefined) {
      const wrong = inbox.tipAt(seq) !== tip ? "fork" : seq + 1 < inbox.oldest ? "trimmed" : "";
      if (wrong === "") {
        this.cursors.set(id, seq);
        if (!isRoom(id)) this.tellMarks(inbox as ModelInbox);
        return;
      }
      this.control.push([Op.RESET, id, wrong, []]);
    }
    this.snap(inbox);
  }

  private snap(inbox: Log): void {
    this.control.push(inbox.snapshot());
  }

  private command(id: number, name: string, args: Record<string, unknown>): void {
    if (name === "set_away") return this.setAway(id, args);
    const room = String(args["conv"] ?? "");
    if (isRoom(room)) return this.roomCommand(id, room, name, args);
    const inbox = this.inbox(String(args["inbox"] ?? String(args["conv"]).split(".")[0]));
    const mv = inbox.state.mv;
    const reply = inbox.command(this.user, name, args);
    if (inbox.state.mv !== mv) this.tellMarks(inbox);
    const number = 120;
    this.answers.push(
      reply.ok
        ? [Op.OK, id, reply.result]
        : [Op.ERR, id, number, reply.slug, "No.", null, reply.cur as Row | null],
    );
  }

  /** The organisation's word and the answer come in whichever order. */
  private setAway(id: number, { away, release }: Record<string, unknown>): void {
    this.away = !away ? "" : release ? "release" : "away";
    for (const inbox of this.inboxes) {
      if (this.away === "release") inbox.released.add(this.user);
      else inbox.released.delete(this.user);
    }
    this.control.push([Op.ORG, "user", { id: this.user, name: this.user, role: "member", away: this.away }]);
    this.answers.push([Op.OK, id, {}]);
  }

  /** To the client, past every lane. */
  tell(...frames: Frame[]): void {
    this.socket?.say(...frames);
  }

  private seen(id: string, conv: string, att: string): void {
    if (isRoom(id)) return void (this.logOf(id) as ModelRoom).seen(Number(att));
    const inbox = this.inbox(id);
    if (inbox.seen(conv, att)) this.tellMarks(inbox);
  }

  private roomHistory(id: number, room: string, before: number, n: number): void {
    const found = (this.logOf(room) as ModelRoom).history_(before, n);
    this.answers.push(found ? [Op.OK, id, found] : [Op.ERR, id, 103, "forbidden", "Not yours."]);
  }

  private roomCommand(id: number, room: string, name: string, args: Record<string, unknown>): void {
    const result = (this.logOf(room) as ModelRoom).command(this.user, name, args);
    this.answers.push(typeof result === "string" ? [Op.ERR, id, 103, result, "No.", null, null] : [Op.OK, id, result]);
  }

  private logOf(id: string): Log {
    return this.logs.find((log) => log.id === id) as Log;
  }

  private inbox(id: string): ModelInbox {
    return this.inboxes.find((inbox) => inbox.id === id) as ModelInbox;
  }
}

function eventOf(inbox: Log, entry: ModelInbox["log"][number]): Frame {
  return [Op.EV, inbox.id, entry.seq, entry.meta, entry.body, entry.tip];
}
