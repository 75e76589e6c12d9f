import { describe, expect, test } from "vitest";
import { noticesOf } from "../src/store/notices";
import { organisationAfter } from "../src/store/organisation";
import { Subscriptions } from "../src/store/subscriptions";
import { Writes } from "../src/store/writes";
import { meta, row } from "./builders";

describe("what an event tells a person", () => {
  const mine = row({ rev: 3, status: "assigned", assignee: "me" });
  const told = (event: Parameters<typeof noticesOf>[0], nowMs = 1000) =>
    noticesOf(event, "me", nowMs, () => false);

  test("a customer's message rings if it waits or is mine, and is not long ago", () => {
    expect(told(meta("received", row()))).toEqual([{ kind: "inbound", conv: "sales.c1", mine: false }]);
    expect(told(meta("received", mine, mine))).toMatchObject([{ kind: "inbound", mine: true }]);
    expect(told(meta("received", { ...mine, assignee: "bo" }))).toEqual([]);
    expect(told(meta("received", row()), 100_000)).toEqual([]);
  });

  test("a keyword of opting out or in rings nowhere", () => {
    for (const reason of ["opt_out", "opt_in"]) {
      expect(told(meta("received", mine, mine, { reason }))).toEqual([]);
      expect(told(meta("received", row(), row(), { reason }))).toEqual([]);
    }
  });

  test("nobody is told of their own act", () => {
    expect(told(meta("assigned", mine, row(), { actor: "me" }))).toEqual([]);
    expect(told(meta("assigned", mine, row(), { actor: "ana" }))).toMatchObject([
      { kind: "handed_to_me", by: "ana" },
    ]);
    expect(told(meta("returned", row(), mine, { actor: "me" }))).toEqual([]);
    expect(told(meta("returned", row(), mine, { actor: "ana" }))).toMatchObject([
      { kind: "moved_away", by: "ana", to: "", draftKept: false },
    ]);
  });

  test("a mention reaches who is named", () => {
    const noted = meta("noted", row(), row(), { actor: "bo", mentions: ["me"] });
    expect(told({ ...noted, n: 7 })).toEqual([{ kind: "mention", conv: "sales.c1", by: "bo", n: 7 }]);
  });
});

describe("the organisation", () => {
  const state = organisationAfter(null, "state", {
    user: { id: "me", name: "Me", role: "member" },
    users: [{ id: "bo", name: "Bo", role: "admin" }],
    inboxes: [
      { id: "b", name: "Support", numbers: ["+1"], members: ["me"] },
      { id: "a", name: "Sales", numbers: [], members: ["bo"] },
    ],
  });

  test("inboxes are by name, joined by membership; I am among the people", () => {
    expect(state?.inboxes.map((inbox) => [inbox.name, inbox.joined])).toEqual([
      ["Sales", false],
      ["Support", true],
    ]);
    expect([...(state?.people.keys() ?? [])].sort()).toEqual(["bo", "me"]);
  });

  test("what an inbox is, and who of the people works here", () => {
    const more = organisationAfter(state, "inbox", { id: "c", name: "Calls", kind: "ring_group", extension: "101" });
    expect(more?.inboxes.find(({ id }) => id === "c")).toMatchObject({ kind: "ring_group", extension: "101" });
    expect(state?.people.get("bo")).toMatchObject({ active: true, bot: false });
    const gone = organisationAfter(state, "user", { id: "bo", name: "Bo", role: "member", active: false, bot: true });
    expect(gone?.people.get("bo")).toEqual({ id: "bo", name: "Bo", role: "member", active: false, bot: true, away: "" });
    const away = organisationAfter(gone ?? null, "user", { id: "bo", name: "Bo", role: "member", away: "release" });
    expect(away?.people.get("bo")?.away).toBe("release");
    expect(organisationAfter(state, "inbox", { id: "c", name: "C", members_may_dispatch: true })?.inboxes[0]?.membersMayDispatch).toBe(true);
  });

  test("changes come one by one; before the state they mean nothing", () => {
    expect(organisationAfter(null, "inbox", { id: "c", name: "C" })).toBeNull();
    const more = organisationAfter(state, "inbox", { id: "a", name: "Sales", members: ["me"] });
    expect(more?.inboxes.map((inbox) => inbox.joined)).toEqual([true, true]);
    expect(organisationAfter(more, "inbox_gone", { id: "a" })?.inboxes).toHaveLength(1);
    const me = organisationAfter(state, "user", { id: "me", name: "Me", role: "admin" });
    expect(me?.me.role).toBe("admin");
    expect(organisationAfter(state, "user_gone", { id: "bo" })?.people.has("bo")).toBe(false);
    expect(organisationAfter(state, "of a newer server", {})).toBe(state);
  });
});

describe("subscriptions", () => {
  test("all joined ones, and what an admin looks into, the latest eight", () => {
    const subscriptions = new Subscriptions();
    const present = new Set(Array.from({ length: 12 }, (_, i) => `i${i}`));
    expect(subscriptions.show("i9")).toBe(true);
    expect(subscriptions.show("i9")).toBe(false);
    subscriptions.show("elsewhere");
    expect(subscriptions.wanted(present, ["i1", "i2"])).toEqual(["i9", "i1", "i2"]);
    for (let i = 0; i < 9; i++) subscriptions.show(`i${i}`);
    expect(subscriptions.wanted(present, [])).not.toContain("i0");
  });

  test("never more than the server allows; what is shown goes first", () => {
    const subscriptions = new Subscriptions();
    subscriptions.max = 3;
    const joined = ["i1", "i2", "i3", "i4"];
    subscriptions.show("i4");
    expect(subscriptions.wanted(new Set(joined), joined)).toEqual(["i4", "i1", "i2"]);
  });
});

describe("acknowledged writes", () => {
  test("are remembered per inbox, and taken out when they turn out lost", () => {
    const writes = new Writes();
    for (let i = 0; i < 70; i++) writes.add("sales", { cid: `u${i}`, seq: i, tip: `t${i}` });
    expect(writes.positions("sales")).toHaveLength(64);
    expect(writes.positions("support")).toEqual([]);
    expect(writes.lost("sales", ["u69", "not mine"])).toBe(1);
    expect(writes.missing("sales", [[68, "t68"], [67, "another"]])).toBe(1);
    expect(writes.missing("sales", [[68, "t68"]])).toBe(0);
  });
});
