/** An inbox of many conversations, of which the client has loaded the first 200, and its events. */
import { Client } from "../src/store/client";
import { Op, type EvFrame, type Row, type ServerFrame } from "../src/wire";
import { row as rowOf } from "./builders";
import { TestBrowser, settle } from "./environment";
import { Rng } from "./random";

const LOADED = 200;
const START_MS = 1_700_000_000_000;

export class Stream {
  readonly client: Client;
  private readonly rng = new Rng(5);
  private readonly rows: Row[];
  private seq: number;

  private constructor(
    readonly conversations: number,
    socket: { say(...frames: unknown[][]): void },
    client: Client,
  ) {
    this.client = client;
    this.seq = conversations;
    this.rows = Array.from({ length: conversations }, (_, i) => this.row(i));
    const newest = this.rows.slice(-LOADED).reverse();
    const last = newest.at(-1)?.last_ms ?? 0;
    const counts = { unassigned: conversations, open: conversations, done: 0 };
    const marks = { seq: this.seq, mv: 0, green: [], seen: [] };
    socket.say([Op.SNAP, "sales", "e", this.seq, "t", counts, marks, newest, String(last)]);
  }

  static async open(conversations: number): Promise<Stream> {
    const browser = new TestBrowser();
    const tab = browser.tab();
    const client = new Client(tab.environment);
    await settle();
    const socket = tab.sockets[0];
    if (socket === undefined) throw new Error("no connection was tried");
    const user = { id: "me", name: "Me", role: "member" };
    const inbox = { id: "sales", name: "Sales", numbers: [], members: ["me"] };
    socket.onopen?.();
    socket.say(
      [Op.WELCOME, "c", "me", 25, {}, "b", 0, browser.clock.nowMs],
      [Op.ORG, "state", { user, users: [user], inboxes: [inbox] }],
    );
    const stream = new Stream(conversations, socket, client);
    const store = client.store();
    const list = store.list("unassigned", null);
    // As the page does: every visible row and the list are watched.
    list.ids.subscribe((ids) => {
      for (const id of ids.slice(0, 30)) store.conversation(id).peek();
    });
    return stream;
  }

  /** The next events: most change some conversation, some come from far below the window. */
  events(n: number): EvFrame[] {
    return Array.from({ length: n }, () => this.event());
  }

  /** Apply them, so many per message. */
  apply(events: readonly EvFrame[], perMessage: number): void {
    for (let start = 0; start < events.length; start += perMessage) {
      this.heard(events.slice(start, start + perMessage));
    }
  }

  private heard(frames: readonly ServerFrame[]): void {
    const { client } = this;
    const { inflow } = client as unknown as { inflow: { receive(f: ServerFrame, c: boolean): void } };
    client.core.step(() => {
      for (const frame of frames) inflow.receive(frame, true);
    });
  }

  private event(): EvFrame {
    const at = this.rng.below(this.rows.length);
    const before = this.rows[at] as Row;
    const seq = ++this.seq;
    const { status, assignee, att } = before;
    const moved = this.rng.chance(0.3);
    const owner = this.rng.pick(["me", "bo", ""]);
    const row: Row = {
      ...before,
      rev: seq,
      n: before.n + 1,
      last_ms: START_MS + seq,
      att: `${seq}.in`,
      ...(moved ? { status: owner ? "assigned" : "unassigned", assignee: owner, own_tok: `${seq}` } : {}),
    };
    this.rows[at] = row;
    const type = moved ? (owner ? "assigned" : "returned") : "received";
    const meta = { type, conv: row.id, actor: moved ? "bo" : "", cid: "", unseen: true, n: row.n, row };
    const frame = [Op.EV, "sales", seq, { ...meta, before: { status, assignee, att } }, {}, `t${seq}`];
    return frame as unknown as EvFrame;
  }

  private row(i: number): Row {
    return rowOf({ id: `sales.c${i}`, rev: i + 1, last_ms: START_MS + i, att: `${i}.in` });
  }
}
