import { describe, expect, test } from "vitest";
import { Marks, effects } from "../src/store/marks";
import { meta, row } from "./builders";

const open = row();
const again = row({ rev: 2, att: "2.in", n: 2 });
const mine = row({ rev: 3, status: "assigned", assignee: "me", own_tok: "3.own" });
const back = row({ rev: 4, att: "4.att", own_tok: "4.own" });

describe("what an event does to my marks", () => {
  test("a new attention mark of a waiting conversation is unread", () => {
    expect(effects(meta("received", open), "me")).toEqual(["unread"]);
    expect(effects(meta("received", again, open), "me")).toEqual(["unread"]);
    expect(effects(meta("noted", { ...open, rev: 9 }, open), "me")).toEqual([]);
  });

  test("what I put back myself is read, what others put back is not", () => {
    expect(effects(meta("returned", back, mine, { actor: "me" }), "me")).toEqual(["read", "plain"]);
    expect(effects(meta("returned", back, mine, { actor: "bo" }), "me")).toEqual(["unread", "plain"]);
  });

  test("mine is green as the event says", () => {
    expect(effects(meta("assigned", mine, open, { unseen: true }), "me")).toEqual(["gone", "green"]);
    expect(effects(meta("assigned", mine, open), "me")).toEqual(["gone", "plain"]);
  });
});

describe("marks", () => {
  test("name the unread or the read, whichever is shorter", () => {
    const marks = new Marks();
    marks.marks({ seq: 5, mv: 1, green: [], blue: ["sales.c1"] }, 5);
    expect([marks.blue("sales.c1"), marks.blue("sales.c2")]).toEqual([true, false]);
    marks.marks({ seq: 5, mv: 2, green: [], seen: ["sales.c1"] }, 5);
    expect([marks.blue("sales.c1"), marks.blue("sales.c2")]).toEqual([false, true]);
    marks.event(6, meta("received", again, open), "me");
    expect(marks.blue("sales.c1")).toBe(true);
  });

  test("ahead of the events they are held until those have been applied", () => {
    const marks = new Marks();
    marks.marks({ seq: 1, mv: 0, green: [], blue: [] }, 1);
    // Read after event 2, before it has arrived here.
    expect(marks.marks({ seq: 2, mv: 1, green: [], blue: [] }, 1)).toBe(false);
    expect(marks.event(2, meta("received", again, open), "me")).toBe(true);
    expect(marks.blue("sales.c1")).toBe(false);
  });

  test("behind the events, what happened since is put on top", () => {
    const marks = new Marks();
    marks.marks({ seq: 1, mv: 0, green: [], blue: [] }, 1);
    marks.event(2, meta("received", again, open), "me");
    marks.marks({ seq: 1, mv: 1, green: [], blue: [] }, 2);
    expect(marks.blue("sales.c1")).toBe(true);
  });

  test("whoever joins afresh has the whole queue before them", () => {
    const marks = new Marks();
    marks.marks({ seq: 1, mv: 0, green: ["sales.c3"], blue: [] }, 1);
    marks.event(2, { type: "member_joined", user: "me", fresh: true }, "me");
    expect([marks.blue("sales.c1"), marks.green("sales.c3")]).toEqual([true, false]);
  });
});
