/** One random history, seen by one client over a connection that does what connections do. */
import { expect } from "vitest";
import { Client } from "../src/store/client";
import type { Sizes } from "../src/store/outward";
import type { Outcome } from "../src/contract";
import { TestBrowser, settle } from "./environment";
import { agrees, holds, type Subject } from "./invariants";
import { ModelInbox } from "./model";
import { Rng } from "./random";
import { WireServer } from "./wire_server";

const SIZES: Sizes = { rows: 14, first: 3, page: 2, longest: 4, mine: 1000 };
const CONVERSATIONS = 12;

export class History implements Subject {
  readonly rng: Rng;
  readonly browser = new TestBrowser();
  readonly tab;
  readonly client: Client;
  readonly store;
  readonly server: WireServer;
  readonly inboxes: readonly ModelInbox[];
  readonly threads = new Set<string>();
  private readonly replies: { text: string; conv: string }[] = [];
  private forked = false;
  private said = 0;

  /** The page Interactions has been opened in every other history. */
  private readonly interactions: boolean;

  constructor(
    seed: number,
    prepare: (client: Client) => void = () => undefined,
  ) {
    this.interactions = seed % 2 === 1;
    const rng = (this.rng = new Rng(seed));
    const clock = this.browser.clock;
    const nowMs = (): number => clock.nowMs;
    this.inboxes = ["sales", "support"].map((id) => new ModelInbox(id, "me", nowMs));
    for (const inbox of this.inboxes) inbox.reopens = rng.chance(0.5);
    for (let i = 0; i < rng.below(30); i++) this.receive();
    this.server = new WireServer("me", this.inboxes, rng, nowMs);
    this.tab = this.browser.tab({}, (socket) => this.server.accept(socket));
    // Half of the histories keep every row, half have to evict.
    this.client = new Client(this.tab.environment, rng.chance(0.5) ? SIZES : { ...SIZES, rows: 64 });
    prepare(this.client);
    this.store = this.client.store();
    if (this.interactions) this.store.list("all", null);
    for (const view of ["unassigned", "mine", "others"] as const) this.store.list(view, null);
  }

  async run(steps: number): Promise<void> {
    await this.client.prepare();
    for (let i = 0; i < steps; i++) {
      await this.step();
      holds(this);
    }
    await this.rest();
    holds(this);
    for (const inbox of this.inboxes) {
      for (const row of inbox.rows()) this.store.conversation(row.id);
      for (const view of ["unassigned", "mine", "others", "done", "all"] as const) {
        this.store.list(view, inbox.id);
      }
    }
    await this.rest();
    agrees(this);
    this.repliesHold();
    this.store.close();
  }

  private async step(): Promise<void> {
    const { rng, server } = this;
    const dice = rng.below(100);
    if (dice < 12) this.receive();
    else if (dice < 22) this.others();
    else if (dice < 37) this.mine();
    else if (dice < 55) server.carryOut();
    else if (dice < 80) server.deliver();
    else if (dice < 82) this.carrier();
    else if (dice < 84) this.rules();
    else if (dice < 90) this.read();
    else if (dice < 92) server.repeat(rng.pick(this.inboxes));
    else if (dice < 96) this.trouble();
    else this.browser.clock.pass(rng.below(3000));
    server.tellTotals();
    this.connect();
    await settle();
  }

  private connect(): void {
    const socket = this.tab.sockets.at(-1);
    if (socket !== undefined && socket.closed === null && socket !== this.server.socket) {
      socket.onopen?.();
    }
  }

  /** Deliver everything, until nothing comes of it any more. */
  private async rest(): Promise<void> {
    for (let quiet = 0, turns = 0; quiet < 12; turns++) {
      if (turns > 2000) throw new Error("never at rest");
      this.connect();
      this.server.tellTotals();
      await settle();
      if (!this.server.idle) {
        this.server.carryOut();
        this.server.deliver(8);
        quiet = 0;
      } else {
        quiet++;
        this.browser.clock.pass(1100);
      }
      holds(this);
    }
  }

  private receive(): void {
    const { rng } = this;
    const inbox = rng.pick(this.inboxes);
    inbox.receive(`${inbox.id}.c${rng.below(CONVERSATIONS)}`, `text ${++this.said}`);
  }

  /** What the server does by itself: timers, who is away, opting out. */
  private rules(): void {
    const { rng } = this;
    const inbox = rng.pick(this.inboxes);
    const conv = rng.maybe(inbox.rows())?.id;
    if (conv === undefined) return;
    switch (rng.below(4)) {
      case 0:
        return inbox.opt(conv, rng.chance(0.5));
      case 1: {
        const user = rng.pick(["me", "bo", "dee"]);
        if (!inbox.released.delete(user)) inbox.released.add(user);
        return;
      }
      default:
        return inbox.due(conv, rng.pick(["wake", "wake", "silent"]));
    }
  }

  private others(): void {
    const { rng } = this;
    const inbox = rng.pick(this.inboxes);
    const row = rng.maybe(inbox.rows());
    if (row === undefined) return;
    const actor = row.status === "assigned" && row.assignee !== "me" ? row.assignee : rng.pick(["bo", "dee"]);
    const name = rng.pick(["assign", "assign", "transfer", "return", "done", "reply", "note", "undo", "snooze", "wake"]);
    const cid = `o${++this.said}`;
    const args = { cid, conv: row.id, own_tok: row.own_tok, seen: name === "done" ? row.in_seq : row.att };
    inbox.command(actor, name, { ...args, to: rng.pick(["me", "me", "bo", "dee"]), text: cid, until_ms: this.browser.clock.nowMs + 60_000 });
  }

  private mine(): void {
    const { rng, store } = this;
    const conv = this.anyConversation();
    if (conv === undefined) return;
    const acts: (() => Promise<Outcome>)[] = [
      () => store.assign(conv),
      () => store.assign(conv),
      () => store.transfer(conv, rng.pick(["bo", "dee"])),
      () => store.giveBack(conv),
      () => store.markDone(conv),
      () => store.undo(conv),
      () => store.markUnread(conv),
      () => store.snooze(conv, this.browser.clock.nowMs + 60_000),
      () => store.snooze(conv, this.browser.clock.nowMs + 60_000),
      () => store.wake(conv),
      () => store.setAway(rng.chance(0.5), rng.chance(0.5)),
      () => this.reply(conv),
      () => this.reply(conv),
      () => store.note(conv, `note ${++this.said}`),
      () => store.compose(conv.split(".")[0] ?? "", "", `+1c${rng.below(3)}`, `new ${++this.said}`),
    ];
    void rng.pick(acts)();
  }

  private reply(conv: string): Promise<Outcome> {
    const text = `reply ${++this.said}`;
    this.replies.push({ text, conv });
    this.store.draft(conv).value = text;
    void this.store.reply(conv, text);
    return this.store.reply(conv, text); // a second Enter
  }

  private read(): void {
    const { rng, store } = this;
    const conv = this.anyConversation();
    if (conv === undefined) return;
    switch (rng.below(6)) {
      case 0:
        return store.list(rng.pick(["unassigned", "others", this.interactions ? "all" : "done"] as const), rng.pick([null, "sales"])).more();
      case 1:
        return store.thread(conv).older();
      case 2:
        return store.leave(conv);
      case 3:
        this.threads.add(conv);
        store.thread(conv);
        return store.look(conv);
      case 4:
        // Whatever is on a screen stays in step.
        this.threads.add(conv);
        store.thread(conv).lines.subscribe(() => undefined);
        return;
      default:
        store.conversation(conv);
        return store.look(conv);
    }
  }

  private carrier(): void {
    const inbox = this.rng.pick(this.inboxes);
    const row = this.rng.maybe(inbox.rows());
    if (row === undefined) return;
    const state = this.rng.pick(["sent", "delivered", "failed"] as const);
    inbox.deliver(row.id, 1 + this.rng.below(row.n), state);
  }

  private trouble(): void {
    const { rng, server, tab } = this;
    const inbox = rng.pick(this.inboxes);
    switch (rng.below(7)) {
      case 0:
      case 1:
        return server.cut();
      case 2:
      case 3:
        return server.skip(inbox);
      case 4: {
        const common = Math.max(inbox.oldest - 1, inbox.state.seq - 1 - rng.below(4));
        const lost = inbox.fork(inbox.state.seq - common);
        this.forked = true;
        return server.forked(inbox, lost, common);
      }
      case 5:
        return inbox.trim();
      default:
        return tab.wake("online"); // a second connection before the first is gone
    }
  }

  private anyConversation(): string | undefined {
    const inbox = this.rng.pick(this.inboxes);
    return this.rng.maybe([...inbox.state.versions.keys()]);
  }

  /** Each reply is in its thread once, or a draft again; never both, never twice. */
  private repliesHold(): void {
    for (const { text, conv } of this.replies) {
      const inbox = this.inboxes.find((one) => conv.startsWith(`${one.id}.`)) as ModelInbox;
      const thread = inbox.state.threads.get(conv) ?? [];
      const times = thread.filter((message) => message[7]?.text === text).length;
      expect(times, `${text} was sent twice`).toBeLessThanOrEqual(1);
      const draft = this.store.draft(conv).peek().split("\n").includes(text);
      if (times === 1 && !this.forked) expect(draft, `${text} is sent and a draft`).toBe(false);
      if (times === 0 && !this.forked) expect(this.overwritten(conv, text) || draft, `${text} is lost`).toBe(true);
    }
  }

  /** The person typed something else into the draft afterwards. */
  private overwritten(conv: string, text: string): boolean {
    const same = this.replies.filter((reply) => reply.conv === conv);
    return same.findIndex((reply) => reply.text === text) < same.length - 1;
  }
}
