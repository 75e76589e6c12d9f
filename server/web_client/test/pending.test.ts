import { describe, expect, test } from "vitest";
import { PendingActs, type Act } from "../src/store/pending";
import { badgeOf, conversationView, viewOf } from "../src/store/view";
import { Marks } from "../src/store/marks";
import { meta, row } from "./builders";

const open = row();
const act = (changes: Partial<Act> = {}): Act => ({
  cid: "u1",
  conv: "sales.c1",
  verb: "assign",
  to: "me",
  status: "assigned",
  untilMs: 0,
  base: open.own_tok,
  ms: 5000,
  acked: null,
  ...changes,
});
const ack = { conv: "sales.c1", seq: 4, own_tok: "4.own", att: "1.in" };
const taken = row({ rev: 4, status: "assigned", assignee: "me", own_tok: "4.own" });

describe("view = confirmed (+) pending", () => {
  test("an act shows at once, at the top", () => {
    const acts = new PendingActs();
    acts.add(act());
    expect(acts.over(open)).toMatchObject({ status: "assigned", assignee: "me", last_ms: 5000 });
    expect(acts.verb(open)).toBe("assign");
  });

  test("a refusal leaves the server's row by itself", () => {
    const acts = new PendingActs();
    acts.add(act());
    acts.drop("sales.c1", "u1");
    expect(acts.over(open)).toBe(open);
  });

  test("answer first: it stays until its event, and gives the next act its token", () => {
    const acts = new PendingActs();
    acts.add(act());
    acts.ack("sales.c1", "u1", ack, 3);
    expect(acts.over(open)).toMatchObject({ assignee: "me", own_tok: "4.own" });
    acts.event("sales.c1", 4, meta("assigned", taken, open, { cid: "u1", actor: "me" }));
    expect(acts.size).toBe(0);
  });

  test("event first: the act is gone, the answer adds nothing", () => {
    const acts = new PendingActs();
    acts.add(act());
    acts.event("sales.c1", 4, meta("assigned", taken, open, { cid: "u1", actor: "me" }));
    expect(acts.over(taken)).toBe(taken);
    acts.ack("sales.c1", "u1", ack, 4);
    expect(acts.size).toBe(0);
  });

  test("done on an unassigned one waits for the second of its two events", () => {
    const acts = new PendingActs();
    acts.add(act({ verb: "done", to: "", status: "done" }));
    acts.event("sales.c1", 4, meta("assigned", taken, open, { cid: "u1", actor: "me" }));
    expect(acts.size).toBe(1);
    acts.event("sales.c1", 5, meta("done", row({ rev: 5, status: "done" }), taken, { cid: "u1" }));
    expect(acts.size).toBe(0);
  });

  test("once somebody else was faster, it does not show any more", () => {
    const acts = new PendingActs();
    acts.add(act());
    const theirs = row({ rev: 3, status: "assigned", assignee: "bo", own_tok: "3.own" });
    expect(acts.over(theirs)).toBe(theirs);
    expect(acts.verb(theirs)).toBe("");
  });

  test("a message that changes no owner shows beneath it", () => {
    const acts = new PendingActs();
    acts.add(act());
    expect(acts.over(row({ rev: 2, preview: "and?" }))).toMatchObject({ assignee: "me", preview: "and?" });
  });

  test("what is acknowledged at a position that has passed is settled", () => {
    const acts = new PendingActs();
    acts.add(act());
    acts.ack("sales.c1", "u1", ack, 3);
    expect(acts.reached("sales", 3)).toEqual([]);
    expect(acts.reached("sales", 4)).toEqual(["sales.c1"]);
    acts.add(act());
    acts.ack("sales.c1", "u1", { ...ack, noop: true }, 0);
    expect(acts.size).toBe(0);
  });

  test("whatever changes the owner ends a snooze", () => {
    const acts = new PendingActs();
    const resting = { ...taken, snoozed_until: 9000 };
    acts.add(act({ verb: "return", to: "", base: taken.own_tok }));
    expect(acts.over(resting).snoozed_until).toBe(0);
    acts.drop("sales.c1", "u1");
    acts.add(act({ verb: "snooze", base: taken.own_tok, untilMs: 12_000 }));
    expect(acts.over(resting)).toMatchObject({ snoozed_until: 12_000, assignee: "me", own_tok: "4.own" });
  });

  test("return and done show their outcome", () => {
    const acts = new PendingActs();
    acts.add(act({ verb: "return", to: "", base: taken.own_tok }));
    expect(acts.over(taken)).toMatchObject({ status: "unassigned", assignee: "" });
    acts.drop("sales.c1", "u1");
    acts.add(act({ verb: "done", to: "", base: taken.own_tok }));
    expect(acts.over(taken)).toMatchObject({ status: "done", assignee: "", att: "" });
  });
});

describe("badge = f(status, owner, attention, my mark)", () => {
  const marks = new Marks();
  marks.marks({ seq: 1, mv: 0, green: ["sales.mine"], blue: ["sales.c1"] }, 1);
  const badge = (shown: typeof open, confirmed = shown, glance: "" | "read" | "unread" = "") =>
    badgeOf(shown, confirmed, "me", marks, glance);

  test("blue is unread and unassigned, green unread and mine, nothing is anybody else's", () => {
    expect(badge(open)).toBe("blue");
    expect(badge(row({ id: "sales.c2" }))).toBe("none");
    expect(badge(row({ id: "sales.mine", status: "assigned", assignee: "me" }))).toBe("green");
    expect(badge(row({ status: "assigned", assignee: "bo" }))).toBe("none");
    expect(badge(row({ status: "done" }))).toBe("none");
    expect(badge(row({ att: "" }))).toBe("none");
  });

  test("a claim of an unread one is green; what I put back is read", () => {
    expect(badge(taken, open)).toBe("green");
    expect(badge(open, taken)).toBe("none");
  });

  test("a look goes before the marks", () => {
    expect(badge(open, open, "read")).toBe("none");
    expect(badge(row({ id: "sales.c2" }), row({ id: "sales.c2" }), "unread")).toBe("blue");
  });

  test("the count is of unanswered messages, while unread", () => {
    const facts = { me: "me", pending: "" as const, undoUntilMs: 0 };
    const view = (unanswered: number, kind: "blue" | "none") =>
      conversationView({ ...facts, shown: row({ unanswered }), badge: kind });
    expect([view(3, "blue").count, view(0, "blue").count, view(3, "none").count]).toEqual([3, 1, 0]);
    expect(viewOf(taken, "me")).toBe("mine");
    expect(viewOf(taken, "bo")).toBe("others");
  });
});
