import { describe, expect, test } from "vitest";
import { Op } from "../src/wire";
import { Scene, type Tab } from "./scene";

const CONV = "sales.c1";
const HOUR_MS = 3_600_000;

/** A tab with one conversation that waits, or is mine. */
async function opened(mine = false): Promise<{ scene: Scene; tab: Tab }> {
  const scene = new Scene();
  scene.sales.receive(CONV, "Hi?");
  const tab = await scene.tab();
  tab.store.conversation(CONV);
  if (mine) {
    void tab.store.assign(CONV);
    await scene.flow();
    tab.store.look(CONV);
    await scene.flow();
    tab.store.leave(CONV);
    await scene.flow();
    tab.notices.length = 0;
  }
  return { scene, tab };
}

const view = (tab: Tab) => tab.store.conversation(CONV).peek();
const said = (tab: Tab) => tab.server.received.filter((frame) => frame[0] === Op.VIEWING).map((frame) => frame.slice(1));

describe("snooze", () => {
  test("shows at once, without a badge, and stays mine", async () => {
    const { scene, tab } = await opened(true);
    scene.sales.receive(CONV, "and?");
    await scene.flow();
    expect(view(tab)?.badge).toBe("green");
    const until = scene.browser.clock.nowMs + HOUR_MS;
    const outcome = tab.store.snooze(CONV, until);
    expect(view(tab)).toMatchObject({ flag: "mine", badge: "none", pending: "snooze" });
    expect(view(tab)?.row.snoozed_until).toBe(until);
    await scene.flow();
    expect((await outcome).ok).toBe(true);
    expect(view(tab)).toMatchObject({ flag: "mine", badge: "none", pending: "" });
    expect(view(tab)?.row.snoozed_until).toBe(until);
    expect(tab.notices).toContainEqual({ kind: "snoozed", conv: CONV, untilMs: until });
  });

  test("a refusal takes it back", async () => {
    const { scene, tab } = await opened(true);
    scene.sales.command("bo", "transfer", { cid: "x", conv: CONV });
    const mine = scene.sales.row(CONV);
    scene.sales.command("me", "transfer", { cid: "y", conv: CONV, to: "bo", own_tok: mine?.own_tok });
    const outcome = tab.store.snooze(CONV, scene.browser.clock.nowMs + HOUR_MS);
    expect(view(tab)?.pending).toBe("snooze");
    await scene.flow();
    expect(await outcome).toMatchObject({ ok: false, slug: "not_owner" });
    expect(view(tab)?.row).toMatchObject({ assignee: "bo", snoozed_until: 0 });
  });

  test("wakes by my hand without a badge, and by the customer with one", async () => {
    const { scene, tab } = await opened(true);
    void tab.store.snooze(CONV, scene.browser.clock.nowMs + HOUR_MS);
    void tab.store.wake(CONV);
    await scene.flow();
    expect(view(tab)).toMatchObject({ badge: "none", flag: "mine" });
    expect(view(tab)?.row.snoozed_until).toBe(0);
    void tab.store.snooze(CONV, scene.browser.clock.nowMs + HOUR_MS);
    await scene.flow();
    scene.sales.receive(CONV, "still there?");
    await scene.flow();
    expect(view(tab)?.badge).toBe("green");
    expect(view(tab)?.row.snoozed_until).toBe(0);
  });

  test("what falls due is green and told", async () => {
    const { scene, tab } = await opened(true);
    void tab.store.snooze(CONV, scene.browser.clock.nowMs + HOUR_MS);
    await scene.flow();
    scene.sales.due(CONV, "wake");
    await scene.flow();
    expect(view(tab)?.badge).toBe("green");
    expect(tab.notices).toContainEqual({ kind: "woken", conv: CONV });
  });

  test("leaves what can be undone as it was", async () => {
    const { scene, tab } = await opened(true);
    const until = view(tab)?.undoUntilMs;
    expect(until).toBeGreaterThan(0);
    await scene.pass(2000);
    void tab.store.snooze(CONV, scene.browser.clock.nowMs + HOUR_MS);
    await scene.flow();
    expect(view(tab)?.undoUntilMs).toBe(until);
    void tab.store.undo(CONV);
    await scene.flow();
    expect(view(tab)?.row).toMatchObject({ status: "unassigned", snoozed_until: 0 });
  });
});

describe("what the server does by itself", () => {
  test.each(["away", "silent", "woken"])("%s: I am told why it went back", async (why) => {
    const { scene, tab } = await opened(true);
    if (why !== "silent") scene.sales.released.add("me");
    if (why === "woken") void tab.store.snooze(CONV, scene.browser.clock.nowMs + HOUR_MS);
    if (why === "silent") scene.sales.receive(CONV, "and?");
    await scene.flow();
    tab.notices.length = 0;
    if (why === "away") scene.sales.receive(CONV, "hello?");
    else scene.sales.due(CONV, why === "silent" ? "silent" : "wake");
    await scene.flow();
    expect(tab.notices.filter(({ kind }) => kind !== "inbound")).toEqual([{ kind: "released", conv: CONV, why }]);
    expect(view(tab)).toMatchObject({ badge: "blue", flag: "none" });
  });

  test("a customer who writes again comes back to me, and is said once", async () => {
    const { scene, tab } = await opened(true);
    scene.sales.reopens = true;
    void tab.store.markDone(CONV);
    await scene.flow();
    tab.notices.length = 0;
    scene.sales.receive(CONV, "one more thing");
    await scene.flow();
    expect(tab.notices).toEqual([{ kind: "handed_to_me", conv: CONV, by: "" }]);
    expect(view(tab)).toMatchObject({ flag: "mine", badge: "green" });
  });

  test("a customer who opted out is known by the row", async () => {
    const { scene, tab } = await opened(true);
    scene.sales.opt(CONV, true);
    await scene.flow();
    expect(view(tab)?.row.opted_out).toBeGreaterThan(0);
    expect(view(tab)?.badge).toBe("none");
  });

  test("what happened before the page was opened is shown and not told", async () => {
    const { scene, tab } = await opened(true);
    const { seq, tip } = scene.sales.state;
    const row = scene.sales.row(CONV);
    const before = { status: row?.status, assignee: "me", att: row?.att };
    const later = { ...row, rev: seq + 1, n: 9, status: "unassigned", assignee: "", own_tok: "x" };
    const event = (last_ms: number) => [Op.EV, "sales", seq + 1, { type: "returned", conv: CONV, actor: "", reason: "away", row: { ...later, last_ms }, before }, {}, tip];
    tab.server.tell(event(scene.browser.clock.nowMs - 1000));
    expect(view(tab)?.flag).toBe("none");
    expect(tab.notices).toEqual([]);
  });

  test("a warning of a transfer is part of what is told", async () => {
    const { scene, tab } = await opened(true);
    scene.sales.released.add("bo");
    void tab.store.transfer(CONV, "bo");
    await scene.flow();
    expect(tab.notices).toContainEqual({ kind: "transferred", conv: CONV, to: "bo", warned: "away" });
  });
});

describe("being away", () => {
  test("is shown at once, and stands when the organisation says it", async () => {
    const { scene, tab } = await opened();
    const outcome = tab.store.setAway(true, true);
    expect(tab.store.availability.peek()).toEqual({ away: true, release: true });
    await scene.flow();
    expect((await outcome).ok).toBe(true);
    expect(tab.store.availability.peek()).toEqual({ away: true, release: true });
    expect(tab.store.me.peek()?.away).toBe("release");
    void tab.store.setAway(false, false);
    await scene.flow();
    expect(tab.store.availability.peek()).toEqual({ away: false, release: false });
  });

  test("what an admin says right after it holds", async () => {
    const { scene, tab } = await opened();
    const me = { id: "me", name: "me", role: "member" };
    const outcome = tab.store.setAway(true, true);
    const [, id] = tab.page.sockets.at(-1)?.sent.at(-1) as [number, number];
    tab.server.tell([Op.OK, id, {}]);
    expect((await outcome).ok).toBe(true);
    expect(tab.store.availability.peek().away).toBe(true);
    tab.server.tell([Op.ORG, "user", { ...me, away: "release" }]);
    tab.server.tell([Op.ORG, "user", { ...me, away: "" }]);
    expect(tab.store.availability.peek().away).toBe(false);
    expect(scene.tabs.length).toBe(1);
  });

  test("without a connection nothing changes", async () => {
    const { scene, tab } = await opened();
    tab.page.wake("offline");
    expect(await tab.store.setAway(true, false)).toMatchObject({ ok: false, slug: "offline" });
    expect(tab.store.availability.peek().away).toBe(false);
    expect(scene.tabs.length).toBe(1);
  });
});

describe("who is there", () => {
  const states = (tab: Tab) => Object.fromEntries(tab.store.presence.peek());

  test("the first word on a connection is of everybody, the next of those who changed", async () => {
    const { scene, tab } = await opened();
    tab.server.tell([Op.PRESENCE, { me: "online", bo: "online" }]);
    tab.server.tell([Op.PRESENCE, { dee: "away", bo: "offline" }]);
    expect(states(tab)).toEqual({ me: "online", dee: "away" });
    tab.server.cut();
    await scene.pass(2000);
    expect(states(tab)).toEqual({ me: "online", dee: "away" }); // as it was known, until the new word
    tab.server.tell([Op.PRESENCE, { me: "online" }]);
    expect(states(tab)).toEqual({ me: "online" });
  });

  test("who looks at what I look at, and nothing of elsewhere", async () => {
    const { scene, tab } = await opened();
    const watchers = tab.store.watchers(CONV);
    tab.server.tell([Op.TYPING, CONV, { bo: "viewing" }]);
    expect(watchers.value.size).toBe(0);
    tab.store.look(CONV);
    await scene.flow();
    tab.server.tell([Op.TYPING, CONV, { bo: "viewing", dee: "typing" }], [Op.TYPING, "sales.c2", { dee: "viewing" }]);
    expect(Object.fromEntries(watchers.value)).toEqual({ bo: "viewing", dee: "typing" });
    tab.server.tell([Op.TYPING, CONV, {}]);
    expect(watchers.value.size).toBe(0);
    tab.server.tell([Op.TYPING, CONV, { bo: "viewing" }]);
    tab.server.cut();
    expect(watchers.value.size).toBe(0);
  });
});

describe("what I look at", () => {
  test("is said when I look, again while I do, and when I leave", async () => {
    const { scene, tab } = await opened();
    tab.store.look(CONV);
    await scene.pass(25_000);
    tab.store.leave(CONV);
    await scene.pass(25_000);
    expect(said(tab)).toEqual([[CONV, false], [CONV, false], [CONV, false], [null, false]]);
  });

  test("is not said of a page nobody sees", async () => {
    const { scene, tab } = await opened();
    tab.store.look(CONV);
    await scene.flow();
    tab.page.wake("leaving");
    await scene.pass(25_000);
    tab.page.wake("shown");
    await scene.flow();
    expect(said(tab)).toEqual([[CONV, false], [null, false], [CONV, false]]);
  });

  test("is said anew on a new connection", async () => {
    const { scene, tab } = await opened();
    tab.store.look(CONV);
    await scene.flow();
    tab.server.cut();
    await scene.pass(2000);
    expect(said(tab)).toEqual([[CONV, false], [CONV, false]]);
  });

  test("typing is told at most every 3 s, and ends with what is sent", async () => {
    const { scene, tab } = await opened(true);
    const before = said(tab).length;
    tab.store.typing(CONV); // nobody looks
    tab.store.look(CONV);
    await scene.flow();
    for (let i = 0; i < 7; i++) {
      tab.store.typing(CONV);
      await scene.pass(1000);
    }
    void tab.store.reply(CONV, "done");
    await scene.flow();
    expect(said(tab).slice(before)).toEqual([[CONV, false], [CONV, true], [CONV, true], [CONV, true], [CONV, false]]);
  });
});
