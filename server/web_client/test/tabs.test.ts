import { describe, expect, test } from "vitest";
import { TabChannel, type TabMessage } from "../src/tabs/channel";
import { DRAFTS_MAX, DraftBook } from "../src/tabs/drafts";
import { Leader } from "../src/tabs/leader";
import { KeptOutbox } from "../src/tabs/outbox";
import { Shelf } from "../src/tabs/storage";
import { MemoryBroadcast, MemoryLocks, MemoryStorage, TestBrowser, settle } from "./environment";

describe("drafts", () => {
  function book(browser = new TestBrowser()) {
    const told: string[] = [];
    const drafts = new DraftBook({
      storage: browser.storage,
      nowMs: () => browser.clock.nowMs,
      later: (ms, run) => browser.clock.later(ms, run),
      changed: (conv, text) => told.push(`${conv}: ${text}`),
    });
    return { browser, drafts, told };
  }

  test("are written a moment after the last key, once", () => {
    const { browser, drafts, told } = book();
    drafts.open("me");
    const draft = drafts.draft("sales.c1");
    for (const text of ["H", "He", "Hey"]) draft.value = text;
    expect(told).toEqual([]);
    browser.clock.pass(300);
    expect(told).toEqual(["sales.c1: Hey"]);
    const again = book(browser);
    again.drafts.open("me");
    expect(again.drafts.draft("sales.c1").peek()).toBe("Hey");
    const other = book(browser);
    other.drafts.open("bo");
    expect(other.drafts.draft("sales.c1").peek()).toBe("");
  });

  test("asked for before the person is known, they fill in then", () => {
    const first = book();
    first.drafts.open("me");
    first.drafts.draft("sales.c1").value = "Hey";
    first.drafts.flush();
    const { drafts } = book(first.browser);
    const draft = drafts.draft("sales.c1");
    drafts.open("me");
    expect(draft.peek()).toBe("Hey");
  });

  test("taken, they are gone at once; given back, they go before what is there", () => {
    const { drafts, told } = book();
    drafts.open("me");
    const file = (id: string) => ({ id, type: "image/png", size: 1, name: `${id}.png` });
    const files = drafts.attached("sales.c1");
    drafts.draft("sales.c1").value = "Hey";
    files.value = [file("m1")];
    drafts.take("sales.c1");
    expect(told).toEqual(["sales.c1: "]);
    expect(files.peek()).toEqual([]);
    drafts.draft("sales.c1").value = "next";
    files.value = [file("m2")];
    drafts.giveBack("sales.c1", { text: "Hey", media: [file("m1")] });
    expect(drafts.get("sales.c1")).toBe("Hey\nnext");
    expect(files.peek().map(({ id }) => id)).toEqual(["m1", "m2"]);
  });

  test("what another tab wrote is not told back", () => {
    const { browser, drafts, told } = book();
    drafts.open("me");
    const draft = drafts.draft("sales.c1");
    drafts.hear("sales.c1", "from there");
    browser.clock.pass(1000);
    expect([draft.peek(), told]).toEqual(["from there", []]);
  });

  test("the newest are kept", () => {
    const { browser, drafts } = book();
    drafts.open("me");
    for (let i = 0; i < DRAFTS_MAX + 20; i++) {
      browser.clock.nowMs++;
      drafts.draft(`sales.c${i}`).value = "x";
      drafts.flush();
    }
    const again = book(browser);
    again.drafts.open("me");
    expect(again.browser.storage.length).toBe(DRAFTS_MAX);
    expect(again.drafts.get("sales.c0")).toBe("");
    expect(again.drafts.get(`sales.c${DRAFTS_MAX + 19}`)).toBe("x");
  });
});

test("a storage that is full or forbidden is done without", () => {
  const storage = new MemoryStorage();
  storage.setItem = () => {
    throw new Error("quota");
  };
  const shelf = new Shelf<number>(storage, "x.");
  shelf.set("a", 1);
  expect(shelf.get("a")).toBeNull();
  expect(new Shelf<number>(null, "x.").all()).toEqual([]);
  const broken = new MemoryStorage();
  broken.setItem("x.a", "not json");
  expect(new Shelf<number>(broken, "x.").all()).toEqual([]);
});

test("the outbox gives what tabs that are gone have left, oldest first, once", () => {
  const storage = new MemoryStorage();
  const item = (cid: string, atMs: number) => ({
    cid,
    conv: "sales.c1",
    text: cid,
    media: [],
    ownTok: "1.own",
    seen: "",
    atMs,
  });
  const gone = new KeptOutbox(storage, "me", "t1");
  gone.put(item("b", 2));
  gone.put(item("a", 1));
  gone.put(item("done", 0));
  gone.remove("done");
  const here = new KeptOutbox(storage, "me", "t2");
  expect(here.orphans(new Set(["t1", "t2"]))).toEqual([]);
  expect(here.orphans(new Set(["t2"]))).toEqual([item("a", 1), item("b", 2)]);
  expect(here.orphans(new Set(["t2"]))).toEqual([]);
  expect(new KeptOutbox(storage, "bo", "t3").orphans(new Set())).toEqual([]);
});

test("one tab of a person leads, and the next one when it goes", async () => {
  const locks = new MemoryLocks();
  const elected: string[] = [];
  const leaders = ["t1", "t2", "t3"].map((tab) => new Leader(locks, tab));
  for (const leader of leaders) leader.stand("me", () => elected.push(leader.tab));
  await settle();
  expect(elected).toEqual(["t1"]);
  expect([...(await (leaders[1] as Leader).living())].sort()).toEqual(["t1", "t2", "t3"]);
  leaders[0]?.resign();
  await settle();
  expect(elected).toEqual(["t1", "t2"]);
  expect(leaders.map((leader) => leader.leads.peek())).toEqual([false, true, false]);
  expect([...(await (leaders[1] as Leader).living())].sort()).toEqual(["t2", "t3"]);
});

test("tabs hear those of the same person only", () => {
  const broadcast = new MemoryBroadcast();
  const heard: [string, TabMessage][] = [];
  const channels = ["me", "me", "bo"].map((user, i) => {
    const channel = new TabChannel(broadcast.open(), (message) => heard.push([`t${i}`, message]));
    channel.open(user);
    return channel;
  });
  channels[0]?.tell({ kind: "signed_out" });
  expect(heard).toEqual([["t1", { kind: "signed_out" }]]);
});
