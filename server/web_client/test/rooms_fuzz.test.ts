/** The client's room against the model, over random histories: after each, both say the same. */
import { signal, type ReadonlySignal } from "@preact/signals";
import { expect, test } from "vitest";
import type { Line } from "../src/contract";
import type { ModelRoom } from "./model_room";
import { Rng } from "./random";
import { Scene, type Tab } from "./scene";

const SEEDS = 200;
const STEPS = 40;

class RoomHistory {
  private readonly rng: Rng;
  private readonly scene = new Scene();
  private readonly room: ModelRoom;
  private tab!: Tab;
  private lines: ReadonlySignal<readonly Line[]> = signal([]);
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
      this.act();
      for (let some = this.rng.below(3); some > 0; some--) this.move();
      if (this.rng.chance(0.1)) await this.rest();
    }
    await this.rest();
    this.tab.store.close();
  }

  /** Everything arrives. What is open is not opened anew: that would heal it. */
  private async rest(): Promise<void> {
    await this.scene.pass(6000);
    if (this.open) this.agrees();
  }

  private look(): void {
    this.open = true;
    this.lines = this.tab.store.thread("~c1").lines;
    this.tab.store.look("~c1");
  }

  /** One thing that may happen at any moment. */
  private act(): void {
    const { rng, room, tab } = this;
    const text = `text ${++this.said}`;
    const n = 1 + rng.below(8);
    switch (rng.below(12)) {
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
        return tab.server.skip(room);
      case 10:
        if (rng.chance(0.3)) room.trim();
        return tab.server.repeat(room);
      default:
        if (!this.open) return this.look();
        this.open = false;
        tab.store.leave("~c1");
    }
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
    if (this.rng.chance(0.5)) server.carryOut();
    else {
      server.tellTotals();
      server.deliver();
    }
  }

  private agrees(): void {
    const { store } = this.tab;
    const lines = this.lines.peek();
    const shown = lines.map((line) => [line.n, line.kind, line.actor, line.text, line.state, line.to, line.atMs]);
    const all = this.room.all().map(([n, , atMs, kind, actor, , state, body]) => [n, kind, actor, body?.text ?? "", state, body?.to ?? "", atMs]);
    expect(shown).toEqual(all.slice(all.length - shown.length));
    expect(shown.length).toBeGreaterThan(0);
    const [, , , unread, mentions] = this.room.told() as [number, string, unknown, number, number];
    expect(store.room("~c1").peek()).toMatchObject({ posts: this.room.posts, unread, mentions });
    expect(unread).toBe(0); // it is open, and looked at
    expect(new Set(lines.map(({ key }) => key)).size).toBe(lines.length);
  }
}

test(`agrees in ${SEEDS} random histories`, async () => {
  for (let seed = 1; seed <= SEEDS; seed++) {
    try {
      await new RoomHistory(seed).run();
    } catch (error) {
      throw new Error(`seed ${seed}: ${String((error as Error).message)}`, { cause: error });
    }
  }
}, 60_000);
