/** One random history of a room: after it, and in its pauses, client and model say the same. */
import { expect } from "vitest";
import type { Thread } from "../src/contract";
import type { ModelRoom } from "./model_room";
import { Rng } from "./random";
import { Scene, type Tab } from "./scene";

const STEPS = 40;

export class RoomHistory {
  private readonly rng: Rng;
  private readonly scene = new Scene();
  private readonly room: ModelRoom;
  private tab!: Tab;
  private thread: Thread | null = null;
  private said = 0;
  private open = true;

  constructor(seed: number) {
    this.rng = new Rng(seed);
    this.room = this.scene.room("~c1");
  }

  async run(): Promise<void> {
    this.tab = await this.scene.tab();
    this.look();
    for (let step = 0; step < STEPS; step++) {
      await this.act();
      for (let some = this.rng.below(3); some > 0; some--) this.move();
      if (this.rng.chance(0.1)) await (this.rng.chance(0.5) ? this.rest() : this.pause());
    }
    await this.rest();
    this.tab.store.close();
  }

  /** Everything arrives. What is open is not opened anew: that would heal it. */
  private async rest(): Promise<void> {
    await this.scene.pass(6000);
    this.agrees();
  }

  /** What is on its way arrives, but no time passes in which anything would be asked for again. */
  private async pause(): Promise<void> {
    await this.scene.flow();
    const { link } = this.tab.store;
    if (link.peek().state === "live" && !(this.thread?.loading.peek() ?? false)) this.agrees();
  }

  private look(): void {
    this.open = true;
    this.thread = this.tab.store.thread("~c1");
    this.tab.store.look("~c1");
  }

  /** One thing that may happen at any moment. */
  private act(): void | Promise<void> {
    const { rng, room, tab } = this;
    const text = `text ${++this.said}`;
    const n = Math.max(1, room.all().length - rng.below(5)); // of what a page has, mostly
    switch (rng.below(17)) {
      case 0:
      case 1:
      case 2:
        return void room.post("bo", text, { mentions: rng.chance(0.3) ? ["me"] : [] });
      case 3:
      case 4:
        return void tab.store.post("~c1", text);
      case 5:
        return this.onPost(n, () => room.edit(n, text));
      case 6:
        return this.onPost(n, () => room.delete(n));
      case 7:
        return room.members.has("dee") ? room.drop("dee") : room.join("dee");
      case 8:
        return tab.server.cut();
      case 9:
        this.onPost(n, () => room.edit(n, text));
        room.post("bo", text);
        return tab.server.skip(room);
      case 10:
        if (rng.chance(0.3)) room.trim();
        return tab.server.repeat(room);
      case 11:
        return void this.thread?.older();
      case 12:
        return this.unread(text);
      default:
        if (this.open) this.leave();
        else this.look();
    }
  }

  private leave(): void {
    this.open = false;
    this.tab.store.leave("~c1");
  }

  /** By another device of mine; not together with a look of this one, which would go before it for a while. */
  private async unread(cid: string): Promise<void> {
    if (this.open) this.leave();
    await this.scene.flow();
    if (this.tab.server.idle) this.room.command("me", "unread", { cid });
    await this.pause();
  }

  private onPost(n: number, change: () => void): void {
    const line = this.room.lineAt(n);
    if (line?.[3] === "posted" && (line[6] as string) !== "deleted") change();
  }

  /** Something on its way arrives. */
  private move(): void {
    const { server, page } = this.tab;
    const socket = page.sockets.at(-1);
    if (socket !== undefined && socket.closed === null && socket !== server.socket) socket.onopen?.();
    if (this.rng.chance(0.2)) server.overtake();
    if (this.rng.chance(0.5)) server.carryOut();
    else {
      server.tellTotals();
      server.deliver();
    }
  }

  private agrees(): void {
    const { room } = this;
    const [, , , unread, mentions] = room.told() as [number, string, unknown, number, number];
    expect(this.tab.store.room("~c1").peek()).toMatchObject({ posts: room.posts, unread, mentions });
    if (!this.open) return;
    expect(unread).toBe(0); // it is looked at
    const lines = this.thread?.lines.peek() ?? [];
    const said = lines.map((line) => [line.n, line.kind, line.actor, line.text, line.state, line.to, line.atMs]);
    const all = room.all().map(([n, , atMs, kind, actor, , state, body]) => [n, kind, actor, body?.text ?? "", state, body?.to ?? "", atMs]);
    expect(said).toEqual(all.slice(all.length - said.length));
    expect(said.length).toBeGreaterThan(0);
    expect(new Set(lines.map(({ key }) => key)).size).toBe(lines.length);
  }
}
