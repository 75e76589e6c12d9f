import { describe, expect, test } from "vitest";
import { InboxState } from "../src/store/inbox";
import { meta, row } from "./builders";

const at = (seq: number) => ({ epoch: "e", seq, tip: `t${seq}` });

function loaded(seq = 5): InboxState {
  const state = new InboxState("sales");
  state.sequence.snapshot(at(seq));
  state.snapped = true;
  state.counts = { unassigned: 1, open: 2, done: 3 };
  state.restart({ unassigned: -Infinity, mine: 500, others: 500, done: Infinity });
  return state;
}

const ids = (state: InboxState, view: "unassigned" | "mine" | "others" | "done") =>
  state.windows[view].entries.map((entry) => entry.id);

describe("where a row stands", () => {
  test("in one list, moved when its status, owner or time changes", () => {
    const state = loaded();
    state.place(row({ last_ms: 600 }), "me");
    expect(ids(state, "unassigned")).toEqual(["sales.c1"]);
    state.place(row({ id: "sales.c2", last_ms: 700 }), "me");
    state.place(row({ last_ms: 800 }), "me");
    expect(ids(state, "unassigned")).toEqual(["sales.c1", "sales.c2"]);
    state.place(row({ last_ms: 900, status: "assigned", assignee: "bo" }), "me");
    expect([ids(state, "unassigned"), ids(state, "others")]).toEqual([["sales.c2"], ["sales.c1"]]);
    state.unplace("sales.c1");
    expect(ids(state, "others")).toEqual([]);
  });

  test("below the floor in none", () => {
    const state = loaded();
    state.place(row({ last_ms: 499, status: "assigned", assignee: "me" }), "me");
    state.place(row({ id: "sales.c2", status: "done" }), "me");
    expect([ids(state, "mine"), ids(state, "done")]).toEqual([[], []]);
  });
});

test("a list that events push into stays about as long as it was asked to be", () => {
  const state = new InboxState("sales", 10);
  state.restart({ unassigned: -Infinity, mine: 0, others: 0, done: 0 });
  for (let i = 0; i < 100; i++) state.place(row({ id: `sales.c${i}`, last_ms: i }), "me");
  const { length } = state.windows.unassigned.entries;
  expect(length).toBeGreaterThanOrEqual(10);
  expect(length).toBeLessThanOrEqual(15);
  expect(ids(state, "unassigned")[0]).toBe("sales.c99");
  expect(state.windows.unassigned.complete).toBe(false);
});

test("counts follow the events of a snapshot", () => {
  const state = loaded();
  const assigned = row({ status: "assigned", assignee: "me" });
  const done = row({ status: "done" });
  state.count(meta("received", row()));
  expect(state.counts).toEqual({ unassigned: 2, open: 3, done: 3 });
  state.count(meta("assigned", assigned, row()));
  expect(state.counts).toEqual({ unassigned: 1, open: 3, done: 3 });
  state.count(meta("done", done, assigned));
  expect(state.counts).toEqual({ unassigned: 1, open: 2, done: 4 });
  state.count(meta("received", row(), done));
  expect(state.counts).toEqual({ unassigned: 2, open: 3, done: 3 });
});

describe("answers ahead of the events", () => {
  test("wait until the events have caught up, and not over a break", () => {
    const state = loaded(5);
    const ran: string[] = [];
    state.when(5, () => ran.push("now"));
    state.when(7, () => ran.push("later"));
    state.when(8, () => ran.push("never"));
    state.sequence.event(6, "t6");
    state.release();
    expect(ran).toEqual(["now"]);
    state.sequence.event(7, "t7");
    state.release();
    expect(ran).toEqual(["now", "later"]);
    const { generation } = state;
    state.invalidate();
    expect(state.generation).toBeGreaterThan(generation);
    state.sequence.event(8, "t8");
    state.release();
    expect(ran).toEqual(["now", "later"]);
  });

  test("the log must say the same when it comes there", () => {
    const state = loaded(5);
    const ahead = row({ rev: 7 });
    state.known("sales.c1", { rev: 7, row: ahead });
    expect(state.passed(6, "t6", meta("noted", row({ id: "sales.c2", rev: 6 })))).toBe(true);
    expect(state.passed(7, "t7", meta("noted", ahead))).toBe(true);
    state.known("sales.c1", { rev: 9, tip: "t9" });
    state.known("sales.c1", { rev: 8, tip: "t8" }); // an older answer does not hide the newer one
    expect(state.passed(8, "t8", meta("noted", row({ rev: 8 })))).toBe(true);
    expect(state.passed(9, "t9", meta("noted", row({ id: "sales.c2", rev: 9 })))).toBe(false);
  });

  test("nor may it say something else of the same conversation", () => {
    const state = loaded(5);
    state.known("sales.c1", { rev: 6, tip: "lost" });
    expect(state.passed(6, "t6", meta("noted", row({ rev: 6 })))).toBe(false);
    state.known("sales.c1", { rev: 7, row: row({ rev: 7, own_tok: "lost" }) });
    expect(state.passed(7, "t7", meta("noted", row({ rev: 7 })))).toBe(false);
  });

  test("they are not ahead for long", () => {
    const state = loaded(5);
    expect(state.stuck()).toBe(false);
    state.known("sales.c1", { rev: 7, tip: "t7" });
    expect([state.stuck(), state.stuck()]).toEqual([false, true]);
    state.sequence.event(6, "t6");
    expect(state.stuck()).toBe(false);
    state.passed(7, "t7", meta("noted", row({ rev: 7 })));
    expect([state.stuck(), state.stuck()]).toEqual([false, false]);
  });
});
