import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { ThreadModel } from "../src/store/thread";
import { Op, type Message } from "../src/wire";
import type { ModelRoom } from "./model_room";
import { Scene, type Tab } from "./scene";

let scene: Scene;
let tab: Tab;
let room: ModelRoom;

beforeEach(async () => {
  scene = new Scene();
  room = scene.room("~c1");
  room.post("bo", "one");
  tab = await scene.tab();
});

afterEach(() => {
  for (const { store } of scene.tabs) store.close();
});

const texts = () => tab.store.thread("~c1").lines.peek().filter((line) => line.kind === "posted").map((line) => line.text);
const sent = (op: number) => tab.server.received.filter((frame) => frame[0] === op);
const subscriptions = () => sent(Op.SUB).flatMap((frame) => frame[2] as unknown[][]).filter(([id]) => id === "~c1");
async function open(): Promise<void> {
  tab.store.thread("~c1");
  tab.store.look("~c1");
  await scene.flow();
}

describe("what is told of rooms", () => {
  test("all of them at once, the newest post first, with what is unread", async () => {
    const newer = scene.room("~d2", "direct");
    scene.browser.clock.pass(1000);
    newer.post("bo", "hey", { mentions: ["me"] });
    const other = await scene.tab();
    const { store } = other;
    expect(store.rooms.peek().map(({ id, unread, mentions }) => [id, unread, mentions])).toEqual([["~d2", 1, 1], ["~c1", 1, 0]]);
    expect(store.roomTotals.peek()).toEqual({ unread: 2, mentions: 1 });
    expect(store.room("~c1").peek()).toMatchObject({ name: "dispatch", kind: "public", preview: "one", lastBy: "bo" });
    expect(store.room("~none").peek()).toBeUndefined();
    expect(store.room("sales.c1")).toBe(store.room("sales.c2")); // what is no room takes no place
  });

  test("nothing is subscribed to for it, and a post moves it up", async () => {
    expect(subscriptions()).toEqual([]);
    room.post("bo", "two");
    await scene.flow();
    expect(tab.store.room("~c1").peek()).toMatchObject({ unread: 2, preview: "two" });
  });

  test("a room that is none of mine any more is gone, and its lines with it", async () => {
    await open();
    expect(texts()).toEqual(["one"]);
    const { lines } = tab.store.thread("~c1");
    room.drop("me");
    await scene.flow();
    expect(tab.store.room("~c1").peek()).toBeUndefined();
    expect(tab.store.rooms.peek()).toEqual([]);
    expect(lines.peek()).toEqual([]);
  });

  test("a room that went while I was away is gone on the next connection", async () => {
    await open();
    const shown = tab.store.room("~c1");
    tab.server.cut();
    room.drop("me");
    await scene.pass(5000);
    expect(tab.store.rooms.peek()).toEqual([]);
    expect(shown.peek()).toBeUndefined();
    expect(texts()).toEqual([]);
  });
});

describe("an open room", () => {
  test("shows posts, changes of posts, and who came and went", async () => {
    await open();
    const two = room.post("bo", "tow");
    const three = room.post("bo", "three");
    await scene.flow();
    room.edit(two, "two");
    room.delete(three);
    room.join("dee");
    room.drop("dee");
    room.rename("night shift");
    await scene.flow();
    expect(texts()).toEqual(["one", "two", ""]);
    const lines = tab.store.thread("~c1").lines.peek();
    expect(lines.map((line) => [line.kind, line.state, line.to])).toEqual([
      ["room_created", "", ""],
      ["posted", "", ""],
      ["posted", "edited", ""],
      ["posted", "deleted", ""],
      ["member_joined", "", "dee"],
      ["member_removed", "", "dee"],
      ["room_changed", "", ""],
    ]);
    expect(lines.at(-1)?.text).toBe("night shift");
  });

  test("knows when something happened that is not a post, though its event does not say", async () => {
    await open();
    const atMs = scene.browser.clock.nowMs;
    room.join("dee");
    scene.browser.clock.nowMs += 60_000; // the event was long on its way
    await scene.flow();
    await scene.pass(1000);
    expect(tab.store.thread("~c1").lines.peek().at(-1)).toMatchObject({ kind: "member_joined", atMs });
  });

  test.each([
    ["edited", { text: "uno" }, "uno"],
    ["deleted", {}, ""],
  ] as const)("a post that was %s while the page with it was under way is so", (type, body, text) => {
    const model = new ThreadModel();
    const post: Message = [2, 2, 0, "posted", "bo", "", "", { text: "one" }];
    const event = { type, conv: "~c1", n: 2 };
    expect(model.event(3, event, body)).toBe("ignored"); // of a line that is not loaded
    model.newest([[1, 1, 0, "room_created", "bo", "", "", {}], post], null, 2);
    expect(model.line(2)).toMatchObject({ state: type, text });
    expect(model.event(3, event, body)).toBe("ignored");
    expect(model.event(4, { type: "edited", conv: "~c1", n: 2 }, { text: "due", mentions: ["me"] })).toBe("changed");
    expect(model.line(2)).toMatchObject({ state: "edited", text: "due", mentions: ["me"] });
  });

  test("goes on from where it was left", async () => {
    const { lines } = tab.store.thread("~c1");
    await open();
    tab.store.leave("~c1");
    await scene.flow();
    expect(sent(Op.UNSUB).at(-1)?.[1]).toEqual(["~c1"]);
    room.post("bo", "two");
    await scene.flow();
    expect(lines.peek().at(-1)?.text).toBe("one");
    await open();
    expect(texts()).toEqual(["one", "two"]);
    expect(subscriptions().at(-1)).toEqual(["~c1", "list", "e1", 2, "r2e1"]);
    room.post("bo", "three");
    await scene.flow();
    expect(texts()).toEqual(["one", "two", "three"]);
  });

  test("misses and doubles nothing over a lost event, a repeated one and a new connection", async () => {
    await open();
    room.post("bo", "two");
    room.post("bo", "three");
    tab.server.skip(room);
    await scene.flow();
    expect(texts()).toEqual(["one", "two", "three"]);
    tab.server.repeat(room);
    tab.server.cut();
    room.post("bo", "four");
    await scene.pass(5000);
    expect(texts()).toEqual(["one", "two", "three", "four"]);
  });

  test("of a log that was trimmed, or split, it is read again", async () => {
    await open();
    tab.server.cut();
    room.post("bo", "two");
    room.trim();
    await scene.pass(5000);
    expect(texts()).toEqual(["one", "two"]);
    tab.server.cut();
    room.fork(1);
    room.post("bo", "instead");
    await scene.pass(5000);
    expect(texts()).toEqual(["one", "instead"]);
  });

  test("what was not seen when it was opened begins somewhere", async () => {
    const thread = tab.store.thread("~c1");
    tab.store.look("~c1");
    await scene.flow();
    expect(thread.unreadFrom.peek()).toBe(2);
    tab.store.leave("~c1");
    await scene.flow();
    tab.store.thread("~c1");
    await scene.flow();
    expect(thread.unreadFrom.peek()).toBe(0);
    tab.store.leave("~c1");
    room.join("dee");
    const n = room.post("bo", "two");
    room.post("bo", "three");
    await scene.flow();
    tab.store.thread("~c1");
    await scene.flow();
    expect(thread.unreadFrom.peek()).toBe(n);
  });
});

test("what was not seen begins somewhere also in a room that the address opens", async () => {
  const late = await scene.tab({}, false);
  const thread = late.store.thread("~c1"); // before anything is known
  const socket = late.page.sockets.at(-1);
  socket?.onopen?.(); // WELCOME, ORG and ROOMS come at once
  expect(late.store.room("~c1").peek()).toBeDefined();
  late.store.thread("~c1"); // as the page does once it knows the room
  await scene.flow();
  expect(thread.unreadFrom.peek()).toBe(2);
});

describe("reading", () => {
  test("looking tells how many posts I have seen, once, and shows it at once", async () => {
    tab.store.thread("~c1");
    tab.store.look("~c1");
    expect(tab.store.room("~c1").peek()?.unread).toBe(0);
    expect(tab.store.roomTotals.peek()).toEqual({ unread: 0, mentions: 0 });
    await scene.flow();
    expect(sent(Op.SEEN)).toEqual([[Op.SEEN, "~c1", "~c1", "1"]]);
    expect(room.read.get("me")).toBe(1);
    room.post("bo", "two");
    await scene.flow();
    expect(sent(Op.SEEN).at(-1)).toEqual([Op.SEEN, "~c1", "~c1", "2"]);
  });

  test("nobody reads while the page is not looked at", async () => {
    await open();
    tab.page.state.attentive = false;
    room.post("bo", "two");
    await scene.flow();
    expect(tab.store.room("~c1").peek()?.unread).toBe(1);
  });

  test("a look that never arrived is not believed for long", async () => {
    tab.store.look("~c1");
    tab.server.requests.length = 0; // the server saw nothing of it
    tab.store.leave("~c1");
    await scene.pass(6000);
    expect(tab.store.room("~c1").peek()?.unread).toBe(1);
  });

  test("marking as unread is the server's to say", async () => {
    await open();
    void tab.store.markRoomUnread("~c1");
    await scene.flow();
    expect(tab.store.room("~c1").peek()?.unread).toBe(1);
  });
});

describe("posting", () => {
  test("shows at once, is sent once however often pressed, and gets its number", async () => {
    await open();
    const outcomes = [1, 2].map(() => tab.store.post("~c1", "mine", ["bo"]));
    expect(tab.store.thread("~c1").lines.peek().at(-1)).toMatchObject({ n: 0, state: "sending", kind: "posted", text: "mine", mentions: ["bo"] });
    await scene.flow();
    expect((await Promise.all(outcomes)).map(({ ok }) => ok)).toEqual([true, true]);
    expect(texts()).toEqual(["one", "mine"]);
    expect(tab.store.thread("~c1").lines.peek().at(-1)).toMatchObject({ n: 3, state: "" });
    expect(tab.store.room("~c1").peek()?.unread).toBe(0);
  });

  test("is kept while the connection is away, and arrives once", async () => {
    await open();
    void tab.store.post("~c1", "in the gap");
    tab.server.carryOut(); // it arrives, the answer does not
    tab.server.cut();
    await scene.pass(5000);
    expect(texts()).toEqual(["one", "in the gap"]);
    expect(sent(Op.CMD).filter((frame) => frame[2] === "post").length).toBe(2);
  });

  test("survives a reload", async () => {
    await open();
    tab.server.cut();
    void tab.store.post("~c1", "before the reload");
    tab.store.close();
    scene.tabs.length = 0;
    tab = await scene.tab();
    await scene.flow();
    await open();
    expect(texts()).toEqual(["one", "before the reload"]);
  });

  test("a refused one goes back into the draft", async () => {
    await open();
    void tab.store.post("~c1", "too late");
    room.members.delete("me");
    tab.server.carryOut();
    tab.server.deliver(9);
    expect(tab.store.draft("~c1").peek()).toBe("too late");
    expect(tab.notices).toContainEqual({ kind: "refused", conv: "~c1", slug: "forbidden", message: "No." });
  });

  test("edits and deletions go to the post they are about", async () => {
    await open();
    void tab.store.post("~c1", "mine");
    await scene.flow();
    void tab.store.editPost("~c1", 3, "ours", ["bo"]);
    await scene.flow();
    expect(texts()).toEqual(["one", "ours"]);
    void tab.store.deletePost("~c1", 3);
    await scene.flow();
    expect(tab.store.thread("~c1").lines.peek().at(-1)).toMatchObject({ state: "deleted", text: "" });
  });

  test("nothing of it is queued where it could be too late", async () => {
    tab.server.cut();
    const outcome = await tab.store.joinRoom("~c1");
    expect(outcome).toMatchObject({ ok: false, slug: "offline" });
  });
});

describe("what a person is told", () => {
  test.each(["direct", "added", "mention"] as const)("%s", async (kind) => {
    tab.server.tell([Op.NOTIFY, kind, "~c1", "~c1", { by: "bo" }]);
    await scene.flow();
    expect(tab.notices).toContainEqual({ kind, conv: "~c1", by: "bo" });
  });
});

test("all conversations are one list over every inbox, done or not, and it is live", async () => {
  scene.sales.receive("sales.c1", "Hi?");
  scene.browser.clock.pass(1000);
  scene.support.receive("support.c1", "Help?");
  await scene.flow();
  const list = tab.store.list("all", null);
  await scene.flow();
  expect([list.ids.peek(), list.complete.peek()]).toEqual([["support.c1", "sales.c1"], true]);
  const moved = list.moved.peek();
  void tab.store.assign("sales.c1");
  await scene.flow();
  void tab.store.markDone("sales.c1");
  await scene.flow();
  expect(list.ids.peek()).toEqual(["sales.c1", "support.c1"]);
  expect(list.moved.peek()).toBeGreaterThan(moved);
  expect(list.total.peek()).toBe(2);
});
