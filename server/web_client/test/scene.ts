/** A person's tabs before a server that does as told: for tests that read like a transcript. */
import type { Notice } from "../src/contract";
import { Client, type ClosableStore } from "../src/store/client";
import type { Environment } from "../src/store/environment";
import { TestBrowser, settle, type TestTab } from "./environment";
import { ModelInbox } from "./model";
import { ModelRoom } from "./model_room";
import { Rng } from "./random";
import { WireServer } from "./wire_server";

export interface Tab {
  readonly page: TestTab;
  readonly server: WireServer;
  readonly client: Client;
  readonly store: ClosableStore;
  readonly notices: Notice[];
}

export class Scene {
  readonly browser = new TestBrowser();
  readonly sales: ModelInbox;
  readonly support: ModelInbox;
  /** Those that are there when a tab is opened. */
  readonly rooms: ModelRoom[] = [];
  readonly tabs: Tab[] = [];
  /** What the server says of itself. */
  build = "b1";

  constructor() {
    const nowMs = (): number => this.browser.clock.nowMs;
    this.sales = new ModelInbox("sales", "me", nowMs);
    this.support = new ModelInbox("support", "me", nowMs);
  }

  room(id: string, kind: "direct" | "public" | "private" = "public", members = ["me", "bo"]): ModelRoom {
    const room = new ModelRoom(id, "me", () => this.browser.clock.nowMs, kind, members);
    this.rooms.push(room);
    return room;
  }

  /** Open a tab, and connect it unless told otherwise. */
  async tab(overrides: Partial<Environment> = {}, connect = true): Promise<Tab> {
    const nowMs = (): number => this.browser.clock.nowMs;
    const server = new WireServer("me", [this.sales, this.support], new Rng(1), nowMs, this.rooms);
    const page = this.browser.tab(overrides, (socket) => server.accept(socket));
    const client = new Client(page.environment);
    await client.prepare();
    const store = client.store();
    const notices: Notice[] = [];
    store.onNotice((notice) => notices.push(notice));
    const tab = { page, server, client, store, notices };
    this.tabs.push(tab);
    if (connect) await this.flow();
    return tab;
  }

  /** Connect whoever tries to, and deliver everything. */
  async flow(): Promise<void> {
    for (let quiet = 0; quiet < 3; ) {
      let moved = false;
      for (const tab of this.tabs) moved = this.turn(tab) || moved;
      await settle();
      quiet = moved ? 0 : quiet + 1;
    }
  }

  private turn({ page, server }: Tab): boolean {
    server.build = this.build;
    const socket = page.sockets.at(-1);
    if (socket !== undefined && socket.closed === null && socket !== server.socket) socket.onopen?.();
    server.tellTotals();
    if (server.idle) return false;
    server.carryOut();
    server.deliver();
    return true;
  }

  /** Time passes, and what falls due is delivered. */
  async pass(ms: number): Promise<void> {
    for (let left = ms; left > 0; left -= 1000) {
      this.browser.clock.pass(Math.min(left, 1000));
      await this.flow();
    }
  }
}
