import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { Close, Op } from "../src/wire";
import { Client } from "../src/store/client";
import { settle } from "./environment";
import { Scene, type Tab } from "./scene";

let scene: Scene;
let tab: Tab;

beforeEach(async () => {
  scene = new Scene();
  scene.sales.receive("sales.c1", "Hi?");
  scene.sales.receive("sales.c2", "Hello?");
  tab = await scene.tab();
});

afterEach(() => {
  for (const { store } of scene.tabs) store.close();
});

const view = (conv: string) => tab.store.conversation(conv).peek();
const commands = (name: string) =>
  tab.server.received.filter((frame) => frame[0] === Op.CMD && frame[2] === name);
const other = (name: string, conv: string, args: Record<string, unknown> = {}) => {
  const row = scene.sales.row(conv);
  const cid = `other-${name}-${conv}-${scene.sales.state.seq}`;
  const actor = row?.status === "assigned" ? row.assignee : "bo";
  scene.sales.command(actor === "me" ? "dee" : actor, name, {
    cid,
    conv,
    own_tok: row?.own_tok,
    seen: row?.in_seq,
    ...args,
  });
};
/** As an admin does: whoever owns it. */
const takenBy = (by: string, conv: string) => {
  const row = scene.sales.row(conv);
  scene.sales.command("me", "transfer", { cid: `x${by}`, conv, to: by, own_tok: row?.own_tok });
};
async function mine(conv = "sales.c1"): Promise<void> {
  void tab.store.assign(conv);
  await scene.flow();
  expect(view(conv)?.flag).toBe("mine");
}

describe("what is shown", () => {
  test("lists, totals and badges of a first connection", () => {
    const { store } = tab;
    expect(store.ready.peek()).toBe(true);
    expect(store.link.peek()).toEqual({ state: "live" });
    expect(store.me.peek()?.id).toBe("me");
    expect(store.inboxes.peek().map((inbox) => inbox.id)).toEqual(["sales", "support"]);
    const list = store.list("unassigned", null);
    expect(list.ids.peek()).toEqual(["sales.c2", "sales.c1"]);
    expect(list.total.peek()).toBe(2);
    expect(list.complete.peek()).toBe(true);
    expect(view("sales.c1")).toMatchObject({ badge: "blue", count: 1, flag: "none" });
    expect(store.totals.peek()).toEqual({ blue: 2, green: 0, unassigned: 2 });
  });

  test("one event renders one row, and the list only if its order changes", async () => {
    const list = tab.store.list("unassigned", null);
    let lists = 0;
    let first = 0;
    let second = 0;
    list.ids.subscribe(() => lists++);
    tab.store.conversation("sales.c1").subscribe(() => first++);
    tab.store.conversation("sales.c2").subscribe(() => second++);
    scene.sales.receive("sales.c2", "still there?");
    await scene.flow();
    expect([lists, first, second]).toEqual([1, 1, 2]);
    scene.sales.receive("sales.c1", "me too");
    await scene.flow();
    expect([lists, first, second]).toEqual([2, 2, 2]);
  });

  test("a done list is read when it is shown", async () => {
    await mine();
    void tab.store.markDone("sales.c1");
    await scene.flow();
    const done = tab.store.list("done", null);
    await scene.flow();
    expect(done.ids.peek()).toEqual(["sales.c1"]);
    expect(done.total.peek()).toBe(1);
  });
});

describe("acts", () => {
  test("assigning shows before the answer", async () => {
    const outcome = tab.store.assign("sales.c1");
    expect(view("sales.c1")).toMatchObject({ flag: "mine", pending: "assign" });
    expect(tab.store.list("mine", null).ids.peek()).toEqual(["sales.c1"]);
    expect(tab.store.list("unassigned", null).ids.peek()).toEqual(["sales.c2"]);
    await scene.flow();
    expect(await outcome).toEqual({ ok: true, conv: "sales.c1" });
    expect(view("sales.c1")).toMatchObject({ flag: "mine", pending: "" });
  });

  test("an act before its part of the page has come waits for it, pressed twice or not", async () => {
    const { environment, sockets } = scene.browser.tab();
    const client = new Client(environment);
    const store = client.store();
    const outcomes = [1, 2].map(() => store.reply("sales.c1", "too early"));
    expect(sockets).toHaveLength(0);
    const told = await Promise.all(outcomes);
    expect(told.map((outcome) => outcome.ok)).toEqual([true, true]);
    await client.prepare();
    expect(store.thread("sales.c1").lines.peek()).toHaveLength(1);
    store.close();
  });

  test("before its part of the page has come a thread is empty and loading; then it says so", async () => {
    const client = new Client(scene.browser.tab().environment);
    const store = client.store();
    expect(store.prepared.peek()).toBe(false);
    const early = store.thread("sales.c1");
    expect([early.lines.peek(), early.loading.peek(), early.atStart.peek()]).toEqual([[], true, false]);
    store.prepare();
    await client.prepare();
    expect(store.prepared.peek()).toBe(true);
    expect(store.thread("sales.c1")).not.toBe(early);
    store.close();
  });

  test("a lost race rolls back and names the winner", async () => {
    const outcome = tab.store.assign("sales.c1");
    other("assign", "sales.c1"); // bo was faster
    await scene.flow();
    expect(await outcome).toMatchObject({ ok: false, slug: "conflict", owner: "bo" });
    expect(tab.notices).toContainEqual({ kind: "lost_race", conv: "sales.c1", by: "bo" });
    expect(view("sales.c1")).toMatchObject({ flag: "other", pending: "" });
    expect(tab.store.list("mine", null).ids.peek()).toEqual([]);
  });

  test("somebody else's event shows through an act that has lost already", async () => {
    void tab.store.assign("sales.c1");
    other("assign", "sales.c1");
    tab.server.deliver(9); // the event is here, the refusal is not
    expect(view("sales.c1")?.flag).toBe("other");
    await scene.flow();
  });

  test("done can be undone for ten seconds, by its token", async () => {
    await mine();
    const outcome = tab.store.markDone("sales.c1");
    await scene.flow();
    expect(await outcome).toMatchObject({ ok: true });
    expect(tab.notices).toContainEqual({ kind: "done", conv: "sales.c1" });
    expect(view("sales.c1")?.undoUntilMs).toBeGreaterThan(scene.browser.clock.nowMs);
    const undone = tab.store.undo("sales.c1");
    expect(view("sales.c1")?.flag).toBe("mine");
    await scene.flow();
    expect(await undone).toMatchObject({ ok: true });
    expect(view("sales.c1")).toMatchObject({ flag: "mine", undoUntilMs: 0 });
  });

  test("after ten seconds nothing can be undone", async () => {
    await mine();
    void tab.store.markDone("sales.c1");
    await scene.flow();
    await scene.pass(11_000);
    expect(view("sales.c1")?.undoUntilMs).toBe(0);
    expect(await tab.store.undo("sales.c1")).toMatchObject({ ok: false, slug: "not_undoable" });
    expect(commands("undo")).toHaveLength(0);
  });

  test("done carries the last inbound: a newer message refuses it", async () => {
    await mine();
    const outcome = tab.store.markDone("sales.c1");
    scene.sales.receive("sales.c1", "wait");
    await scene.flow();
    expect(await outcome).toMatchObject({ ok: false, slug: "new_activity" });
    expect(tab.notices).toContainEqual(
      expect.objectContaining({ kind: "refused", slug: "new_activity" }),
    );
    expect(view("sales.c1")?.flag).toBe("mine");
  });

  test("an act on its heels waits for the token of the one before", async () => {
    const first = tab.store.assign("sales.c1");
    const second = tab.store.transfer("sales.c1", "dee");
    await scene.flow();
    expect([(await first).ok, (await second).ok]).toEqual([true, true]);
    expect(view("sales.c1")?.row.assignee).toBe("dee");
    expect(tab.notices).toContainEqual({ kind: "transferred", conv: "sales.c1", to: "dee", warned: "" });
  });

  test("what somebody takes from me moves away, my draft stays", async () => {
    await mine();
    tab.store.draft("sales.c1").value = "I am about to";
    const row = scene.sales.row("sales.c1");
    scene.sales.command("me", "transfer", { cid: "admin", conv: "sales.c1", to: "dee", own_tok: row?.own_tok });
    // The model lets owners transfer only; the event is told as an admin's.
    const entry = scene.sales.log.at(-1);
    if (entry !== undefined) entry.meta.actor = "ana";
    await scene.flow();
    expect(tab.notices).toContainEqual({
      kind: "moved_away",
      conv: "sales.c1",
      by: "ana",
      to: "dee",
      draftKept: true,
    });
    expect(tab.store.draft("sales.c1").peek()).toBe("I am about to");
  });

  test("what is handed to me is told and green until I look", async () => {
    other("assign", "sales.c1");
    other("transfer", "sales.c1", { to: "me" });
    await scene.flow();
    expect(tab.notices).toContainEqual({ kind: "handed_to_me", conv: "sales.c1", by: "bo" });
    expect(view("sales.c1")).toMatchObject({ flag: "mine", badge: "green", count: 1 });
    tab.store.look("sales.c1");
    expect(view("sales.c1")?.badge).toBe("none");
    await scene.flow();
    expect(tab.store.totals.peek().green).toBe(0);
  });

  test("offline, nothing about ownership is queued", async () => {
    tab.page.state.onLine = false;
    tab.page.wake("offline");
    expect(tab.store.link.peek()).toEqual({ state: "offline" });
    expect(await tab.store.assign("sales.c1")).toMatchObject({ ok: false, slug: "offline" });
    expect(tab.notices).toContainEqual({ kind: "offline" });
    expect(view("sales.c1")?.pending).toBe("");
    tab.page.state.onLine = true;
    tab.page.wake("online");
    await scene.flow();
    expect(commands("assign")).toHaveLength(0);
    expect(tab.store.link.peek()).toEqual({ state: "live" });
  });

  test("an act whose answer was lost is sent again under its id, and only soon", async () => {
    const outcome = tab.store.assign("sales.c1");
    tab.server.carryOut();
    tab.server.cut(); // it took effect, the answer is gone
    await scene.pass(5000);
    expect(await outcome).toMatchObject({ ok: true });
    const [first, again] = commands("assign");
    expect(again?.[3]).toEqual(first?.[3]);
    expect(scene.sales.state.threads.get("sales.c1")).toHaveLength(2);
  });

  test("after a minute its outcome is unknown, and the row is read again", async () => {
    const outcome = tab.store.assign("sales.c1");
    tab.server.cut();
    tab.page.state.onLine = false;
    scene.browser.clock.sleep(70_000);
    await settle();
    expect(await outcome).toMatchObject({ ok: false, slug: "unknown" });
    expect(view("sales.c1")?.pending).toBe("");
    await scene.pass(3000);
    expect(commands("assign").length).toBeLessThanOrEqual(1);
  });
});

describe("replies", () => {
  test("sends once however often it is pressed", async () => {
    await mine();
    const draft = tab.store.draft("sales.c1");
    draft.value = "On its way.";
    const presses = [1, 2, 3].map(() => tab.store.reply("sales.c1", "On its way."));
    expect(draft.peek()).toBe("");
    await scene.flow();
    for (const press of presses) expect(await press).toMatchObject({ ok: true });
    expect(commands("reply")).toHaveLength(1);
    const [reply] = commands("reply");
    const row = scene.sales.row("sales.c1");
    expect(reply?.[3]).toMatchObject({ own_tok: row?.own_tok, seen: row?.att });
  });

  test("the same text typed again is another reply", async () => {
    await mine();
    for (let i = 0; i < 2; i++) {
      tab.store.draft("sales.c1").value = "ok";
      void tab.store.reply("sales.c1", "ok");
      await scene.flow();
      tab.store.draft("sales.c1").value = "";
    }
    tab.store.draft("sales.c1").value = "ok";
    void tab.store.reply("sales.c1", "ok");
    await scene.flow();
    expect(commands("reply")).toHaveLength(3);
  });

  test("keeps its line from pending to confirmed, whichever of answer and event comes first", async () => {
    await mine();
    const thread = tab.store.thread("sales.c1");
    await scene.flow();
    void tab.store.reply("sales.c1", "On its way.");
    const pending = thread.lines.peek().at(-1);
    expect(pending).toMatchObject({ n: 0, state: "sending", text: "On its way." });
    await scene.flow();
    expect(thread.lines.peek().at(-1)).toMatchObject({ key: pending?.key, n: 3, state: "queued" });
    expect(thread.lines.peek()).toHaveLength(3);
  });

  test("refused for another token, it becomes the draft", async () => {
    await mine();
    void tab.store.reply("sales.c1", "On its way.");
    takenBy("dee", "sales.c1");
    await scene.flow();
    expect(tab.store.draft("sales.c1").peek()).toBe("On its way.");
    expect(tab.notices).toContainEqual({ kind: "became_draft", conv: "sales.c1" });
    expect(scene.sales.state.threads.get("sales.c1")?.some((m) => m[3] === "replied")).toBe(false);
    expect(tab.store.thread("sales.c1").lines.peek().every((line) => line.n > 0)).toBe(true);
  });

  test("files go with it, and come back with it", async () => {
    await mine();
    const thread = tab.store.thread("sales.c1");
    await scene.flow();
    const file = { id: "m1", type: "image/png", size: 9, name: "map.png" };
    const attached = tab.store.attached("sales.c1");
    attached.value = [file];
    void tab.store.reply("sales.c1", "", [file]);
    expect(attached.peek()).toEqual([]);
    expect(thread.lines.peek().at(-1)).toMatchObject({ text: "", media: [file], state: "sending" });
    takenBy("dee", "sales.c1");
    await scene.flow();
    expect(commands("reply").at(-1)?.[3]).toMatchObject({ text: "", media: ["m1"] });
    expect(attached.peek()).toEqual([file]);
  });

  test("offline, it waits, and is sent once the connection is back", async () => {
    await mine();
    const thread = tab.store.thread("sales.c1");
    await scene.flow();
    tab.page.state.onLine = false;
    tab.page.wake("offline");
    expect(await tab.store.reply("sales.c1", "first")).toMatchObject({ ok: true });
    expect(await tab.store.reply("sales.c1", "second")).toMatchObject({ ok: true });
    expect(thread.lines.peek().slice(-2).map((line) => line.state)).toEqual(["waiting", "waiting"]);
    tab.page.state.onLine = true;
    tab.page.wake("online");
    await scene.flow();
    const texts = thread.lines.peek().map((line) => line.text);
    expect(texts.slice(-2)).toEqual(["first", "second"]);
    expect(thread.lines.peek().at(-1)?.state).toBe("queued");
  });

  test("a reload loses nothing that waited: the next leader sends it, once", async () => {
    await mine();
    tab.page.state.onLine = false;
    tab.page.wake("offline");
    void tab.store.reply("sales.c1", "first");
    void tab.store.reply("sales.c1", "second");
    tab.store.close();
    scene.tabs.length = 0;
    await settle();
    tab = await scene.tab();
    await scene.flow();
    const texts = scene.sales.state.threads.get("sales.c1")?.map((message) => message[7]?.text);
    expect(texts?.slice(-2)).toEqual(["first", "second"]);
    tab.store.close();
    scene.tabs.length = 0;
    await settle();
    tab = await scene.tab();
    expect(commands("reply")).toHaveLength(0);
  });

  test("a reload between sending and the answer does not send twice", async () => {
    await mine();
    void tab.store.reply("sales.c1", "On its way.");
    tab.server.carryOut();
    tab.store.close();
    scene.tabs.length = 0;
    await settle();
    tab = await scene.tab();
    expect(commands("reply")).toHaveLength(1);
    const thread = scene.sales.state.threads.get("sales.c1") ?? [];
    expect(thread.filter((message) => message[3] === "replied")).toHaveLength(1);
  });

  test("what waited for somebody else's conversation becomes the draft", async () => {
    await mine();
    tab.page.state.onLine = false;
    tab.page.wake("offline");
    void tab.store.reply("sales.c1", "On its way.");
    tab.store.close();
    scene.tabs.length = 0;
    takenBy("dee", "sales.c1");
    await settle();
    tab = await scene.tab();
    expect(tab.store.draft("sales.c1").peek()).toBe("On its way.");
    expect(tab.notices).toContainEqual({ kind: "became_draft", conv: "sales.c1" });
  });

  test("a failed message says why, and is sent again on demand", async () => {
    await mine();
    const thread = tab.store.thread("sales.c1");
    void tab.store.reply("sales.c1", "On its way.");
    await scene.flow();
    scene.sales.deliver("sales.c1", 3, "failed", "unreachable");
    await scene.flow();
    expect(thread.lines.peek().at(-1)).toMatchObject({ state: "failed", reason: "unreachable" });
  });

  test("at most fifty wait", async () => {
    await mine();
    tab.page.wake("offline");
    for (let i = 0; i < 50; i++) await tab.store.reply("sales.c1", `reply ${i}`);
    expect(await tab.store.reply("sales.c1", "one more")).toMatchObject({ ok: false, slug: "offline" });
  });
});

describe("looking", () => {
  const seen = () => tab.server.received.filter((frame) => frame[0] === Op.SEEN);

  test("marks read once, for the present attention mark", async () => {
    tab.store.look("sales.c1");
    tab.store.look("sales.c1");
    expect(view("sales.c1")?.badge).toBe("none");
    await scene.flow();
    tab.store.look("sales.c1");
    await scene.flow();
    expect(seen()).toEqual([[Op.SEEN, "sales", "sales.c1", scene.sales.row("sales.c1")?.att]]);
    expect(tab.store.totals.peek().blue).toBe(1);
  });

  test("a new message while looked at is read too, but only by attentive eyes", async () => {
    tab.store.look("sales.c1");
    await scene.flow();
    scene.sales.receive("sales.c1", "and?");
    await scene.flow();
    expect(seen()).toHaveLength(2);
    tab.page.state.attentive = false;
    scene.sales.receive("sales.c1", "and now?");
    await scene.flow();
    expect(seen()).toHaveLength(2);
    expect(view("sales.c1")?.badge).toBe("blue");
    tab.store.leave("sales.c1");
    tab.page.state.attentive = true;
    scene.sales.receive("sales.c1", "hello?");
    await scene.flow();
    expect(seen()).toHaveLength(2);
  });

  test("mark unread stands against the look before it", async () => {
    tab.store.look("sales.c1");
    await scene.flow();
    void tab.store.markUnread("sales.c1");
    expect(view("sales.c1")?.badge).toBe("blue");
    await scene.flow();
    expect(view("sales.c1")?.badge).toBe("blue");
    expect(scene.sales.badge(scene.sales.row("sales.c1")!)).toBe("blue");
  });

  test("looked at without a connection, it is read once there is one", async () => {
    tab.page.wake("offline");
    tab.store.look("sales.c1");
    expect(view("sales.c1")?.badge).toBe("blue");
    await scene.pass(3000);
    expect(seen()).toHaveLength(1);
    expect(view("sales.c1")?.badge).toBe("none");
  });

  test("is never sent again after a reconnect, but looked again", async () => {
    tab.store.look("sales.c1");
    tab.store.leave("sales.c1");
    tab.server.requests.length = 0; // lost on the way
    tab.server.cut();
    await scene.pass(3000);
    expect(seen()).toHaveLength(1);
    expect(view("sales.c1")?.badge).toBe("blue");
  });
});

describe("the connection", () => {
  test("resumes where it was: nothing missed, nothing doubled, drafts kept", async () => {
    const thread = tab.store.thread("sales.c1");
    tab.store.draft("sales.c1").value = "half a th";
    await scene.flow();
    for (let i = 0; i < 5; i++) {
      tab.server.cut();
      scene.sales.receive("sales.c1", `missed ${i}`);
      await scene.pass(8000);
    }
    expect(thread.lines.peek().map((line) => line.n)).toEqual([1, 2, 3, 4, 5, 6]);
    expect(tab.store.draft("sales.c1").peek()).toBe("half a th");
    const resumed = tab.server.received.filter((frame) => frame[0] === Op.SUB).slice(1);
    for (const [, , items] of resumed) expect((items as unknown[][])[0]).toHaveLength(5);
  });

  test("a trimmed log ends in the same screen", async () => {
    const list = tab.store.list("unassigned", null);
    tab.server.cut();
    scene.sales.receive("sales.c1", "missed");
    scene.sales.trim();
    await scene.pass(3000);
    expect(list.ids.peek()).toEqual(["sales.c1", "sales.c2"]);
    expect(view("sales.c1")?.row.n).toBe(2);
  });

  test("an open thread survives a reset without doubles", async () => {
    for (let i = 0; i < 20; i++) scene.sales.receive("sales.c1", `more ${i}`);
    await scene.flow();
    const thread = tab.store.thread("sales.c1");
    tab.store.look("sales.c1");
    await scene.flow();
    thread.older();
    await scene.flow();
    const before = thread.lines.peek().length;
    const common = scene.sales.state.seq - 2;
    const lost = scene.sales.fork(2);
    tab.server.forked(scene.sales, lost, common);
    scene.sales.receive("sales.c1", "another history");
    await scene.flow();
    const numbers = thread.lines.peek().map((line) => line.n);
    expect(numbers.at(-1)).toBe(20);
    expect(numbers.length).toBeGreaterThanOrEqual(before - 2);
    expect(numbers).toEqual(numbers.map((_, i) => (numbers[0] ?? 0) + i));
  });

  test("acknowledged writes that an engine lost are told", async () => {
    await mine();
    const common = scene.sales.state.seq - 1;
    const lost = scene.sales.fork(1);
    tab.server.forked(scene.sales, lost, common);
    await scene.flow();
    expect(tab.notices).toContainEqual({ kind: "writes_lost", inbox: "sales", count: 1 });
    expect(view("sales.c1")?.flag).toBe("none");
  });

  test("another build of the server is told once", async () => {
    scene.build = "b2";
    tab.server.cut();
    await scene.pass(3000);
    tab.server.cut();
    await scene.pass(8000);
    expect(tab.notices.filter((notice) => notice.kind === "new_build")).toHaveLength(1);
  });

  test("a revoked session ends in signed_out, in all tabs at once", async () => {
    const second = await scene.tab();
    tab.page.state.signedIn = false;
    tab.server.socket?.end(Close.REVOKED, "signed out");
    await settle();
    expect(tab.store.link.peek().state).toBe("signed_out");
    expect(second.store.link.peek().state).toBe("signed_out");
    expect(second.server.socket?.closed).toBe(1000);
  });

  test("an inbox that comes is live, one that goes takes its rows along", async () => {
    const socket = tab.server.socket;
    const members = ["me"];
    socket?.say([Op.ORG, "inbox_gone", { id: "sales" }]);
    expect(tab.store.inboxes.peek().map((inbox) => inbox.id)).toEqual(["support"]);
    expect(tab.store.list("unassigned", null).ids.peek()).toEqual([]);
    expect(view("sales.c1")).toBeUndefined();
    expect(tab.store.totals.peek()).toEqual({ blue: 0, green: 0, unassigned: 0 });
    socket?.say([Op.ORG, "inbox", { id: "sales", name: "Sales", numbers: [], members }]);
    await scene.flow();
    expect(tab.store.list("unassigned", null).ids.peek()).toEqual(["sales.c2", "sales.c1"]);
    expect(view("sales.c1")?.badge).toBe("blue");
  });

  test("an inbox looked into without having joined shows no badges", async () => {
    const socket = tab.server.socket;
    socket?.say([Op.ORG, "inbox", { id: "sales", name: "Sales", numbers: [], members: ["bo"] }]);
    await scene.flow();
    expect(tab.store.list("unassigned", null).ids.peek()).toEqual([]);
    const list = tab.store.list("unassigned", "sales");
    await scene.flow();
    expect(list.ids.peek()).toEqual(["sales.c2", "sales.c1"]);
    expect(view("sales.c1")?.badge).toBe("none");
    tab.store.look("sales.c1");
    expect(tab.server.received.filter((frame) => frame[0] === Op.SEEN)).toHaveLength(0);
  });
});

describe("tabs", () => {
  test("one leads; when it goes the next one does", async () => {
    const second = await scene.tab();
    expect([tab.store.leader.peek(), second.store.leader.peek()]).toEqual([true, false]);
    tab.store.close();
    await settle();
    expect(second.store.leader.peek()).toBe(true);
  });

  test("without Web Locks every tab leads", async () => {
    const alone = await scene.tab({ locks: null });
    expect(alone.store.leader.peek()).toBe(true);
  });

  test("drafts and looks reach the other tabs", async () => {
    const second = await scene.tab();
    const [here, there] = [tab.store.draft("sales.c1"), second.store.draft("sales.c1")];
    here.value = "half a th";
    await scene.pass(1000);
    expect(there.peek()).toBe("half a th");
    const row = second.store.conversation("sales.c1");
    tab.store.look("sales.c1");
    expect(row.peek()?.badge).toBe("none");
  });

  test("a draft outlives a reload; signing out takes it away", async () => {
    tab.store.draft("sales.c1").value = "half a th";
    tab.store.close();
    const again = await scene.tab();
    expect(again.store.draft("sales.c1").peek()).toBe("half a th");
    await again.store.signOut(true);
    expect(again.page.signedOut).toEqual([true]);
    expect(again.store.link.peek().state).toBe("signed_out");
    const after = await scene.tab();
    expect(after.store.draft("sales.c1").peek()).toBe("");
  });

  test("signed out, it leads no more: the next store in this tab does", async () => {
    await tab.store.signOut();
    const next = await scene.tab();
    expect(next.store.leader.peek()).toBe(true);
  });

  test("signing out that the server does not hear changes nothing", async () => {
    const deaf = await scene.tab({ signOut: () => Promise.resolve(false) });
    deaf.store.draft("sales.c1").value = "half a th";
    await deaf.store.signOut();
    expect(deaf.notices).toContainEqual({ kind: "offline" });
    expect(deaf.store.link.peek().state).toBe("live");
    expect(deaf.store.draft("sales.c1").peek()).toBe("half a th");
  });

  test("the leader sends what a closed tab left", async () => {
    await mine();
    const second = await scene.tab();
    second.page.wake("offline");
    void second.store.reply("sales.c1", "left behind");
    second.store.close();
    scene.tabs.splice(1, 1);
    await settle();
    await scene.tab(); // its coming makes the leader look around
    await scene.flow();
    const thread = scene.sales.state.threads.get("sales.c1") ?? [];
    expect(thread.filter((message) => message[7]?.text === "left behind")).toHaveLength(1);
  });
});
