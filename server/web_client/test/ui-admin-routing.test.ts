import { describe, expect, test } from "vitest";
import {
  byNumber,
  checkedWords,
  deliversWords,
  inboxChange,
  inboxProblem,
  keptText,
  kindWords,
  numberProblem,
  reasonWords,
  routedWords,
  type AdminInbox,
  type Checked,
  type Kept,
} from "../src/ui/admin/routing_words";
import { minutes, rulesChange, rulesProblem, type Rules } from "../src/ui/admin/rules_words";

const RULES: Rules = { reopen_to: "queue", members_may_dispatch: false, silent_min: 0, offline_min: 5, stop_text: "", start_text: "", help_text: "" };
const SALES: AdminInbox = {
  id: "sales",
  name: "Sales",
  kind: "department",
  extension: "100",
  live: true,
  numbers: ["+14165550100"],
  members: ["ana", "bo"],
  options: RULES,
};

describe("an inbox's rules", () => {
  test("only what was changed is sent", () => {
    expect(rulesChange(RULES, { ...RULES })).toEqual({});
    expect(rulesChange(RULES, { ...RULES, silent_min: 30, help_text: "Call us." })).toEqual({ silent_min: 30, help_text: "Call us." });
  });

  test("minutes are whole, within a week; nothing is 0", () => {
    expect(["", "0", " 30 ", "10080"].map(minutes)).toEqual([0, 0, 30, 10080]);
    expect(["-1", "1.5", "ten", "10081"].map(minutes)).toEqual([null, null, null, null]);
    expect([rulesProblem("30", "5"), rulesProblem("x", "5") === ""]).toEqual(["", false]);
  });
});

describe("inboxes", () => {
  test("what kind it is", () => {
    expect(kindWords(SALES)).toBe("Department, extension 100");
    expect(kindWords({ kind: "welcome_menu", extension: "" })).toBe("Welcome Menu");
  });

  test("only what was changed is sent", () => {
    const same = { name: "Sales", kind: "department", extension: "100", members: ["bo", "ana"] } as const;
    expect(inboxChange(SALES, same)).toEqual({});
    expect(inboxChange(SALES, { ...same, name: "Shop", members: ["ana"] })).toEqual({ name: "Shop", members: ["ana"] });
    expect(inboxChange(SALES, { ...same, members: ["ana", "dee"], extension: "", kind: "ring_group" })).toEqual({
      members: ["ana", "dee"],
      extension: "",
      kind: "ring_group",
    });
  });

  test.each([
    ["Sales", "", true],
    ["Sales", "0123456789", true],
    ["Sales", " 12 ", true],
    ["  ", "", false],
    ["Sales", "12345678901", false],
    ["Sales", "12a", false],
  ])("%j with the extension %j", (name, extension, fine) => expect(inboxProblem(name, extension) === "").toBe(fine));
});

describe("numbers", () => {
  test.each([
    ["+1 (416) 555-0100", true],
    ["0014165550100", true],
    ["416 555 0100", false],
    ["+0123456", false],
    ["", false],
  ])("%j", (typed, fine) => expect(numberProblem(typed) === "").toBe(fine));
});

describe("where a number delivers", () => {
  const one = { number: "+14165550100", messaging: true };
  test.each([
    [one, undefined, 3, "+1 416 555 0100 delivers nowhere."],
    [one, "Sales", 0, "+1 416 555 0100 delivers to Sales."],
    [one, "Sales", 1, "+1 416 555 0100 delivers to Sales. 1 message from before can be routed, too."],
    [{ ...one, messaging: false }, "Sales", 1, "+1 416 555 0100 delivers to Sales once messaging is on."],
  ])("%j to %s with %i kept", (number, inbox, waiting, words) => expect(deliversWords(number, inbox, waiting)).toBe(words));
});

const kept = (id: string, to: string, more: Partial<Kept> = {}): Kept => ({ id, from: "+14165550142", to, text: id, media: [], at: null, reason: "not assigned", ...more });

describe("kept messages", () => {
  test("by number, newest first", () => {
    const all = [kept("d", "+14165550101"), kept("c", "+14165550100"), kept("b", "+14165550101"), kept("a", "+14165550100")];
    expect(byNumber(all).map(({ number, messages }) => [number, messages.map(({ id }) => id)])).toEqual([
      ["+14165550101", ["d", "b"]],
      ["+14165550100", ["c", "a"]],
    ]);
    expect(byNumber([])).toEqual([]);
  });

  test("what was written", () => {
    expect(keptText({ text: "Hi", media: [] })).toBe("Hi");
    expect(keptText({ text: "", media: ["a"] })).toBe("1 attachment");
    expect(keptText({ text: "Hi", media: ["a", "b"] })).toBe("Hi · 2 attachments");
    expect(keptText({ text: "", media: [] })).toBe("An empty message");
  });

  test("why, and a reason of a later version as it is", () => {
    expect(reasonWords("messaging off")).toBe("Messaging was off");
    expect(reasonWords("too early")).toBe("too early");
  });

  test("what routing has brought about", () => {
    expect(routedWords("+14165550100", "Sales", 1, 0)).toBe("1 message to +1 416 555 0100 delivered to Sales.");
    expect(routedWords("+14165550100", "Sales", 3, 2)).toBe("3 messages to +1 416 555 0100 delivered to Sales. 2 messages left: route it again.");
  });
});

describe("the diagnosis", () => {
  const checked = (more: Partial<Checked>): Checked => ({ number: "+14165550100", ok: true, stopped_at: null, conv: null, steps: [], ...more });
  test("where it stops", () => expect(checkedWords(checked({ ok: false, stopped_at: "assigned" }))).toBe("Messages to +1 416 555 0100 stop at “Assignment”."));
  test("nothing in the way", () => expect(checkedWords(checked({}))).toBe("Nothing is in the way of messages to +1 416 555 0100."));
  test("a test message came through, with a warning", () =>
    expect(checkedWords(checked({ conv: "sales.1", steps: [{ step: "members", state: "warning", says: "", remedy: "" }] }))).toBe(
      "A test message to +1 416 555 0100 arrived. There is something to look at, though.",
    ));
});
