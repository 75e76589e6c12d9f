import { describe, expect, test } from "vitest";
import { conversationsWords, inboxesOf, inboxNames, inOrder, inviteProblem, leftWords, movedWords, receivers, type Teammate } from "../src/ui/admin/team_words";

const person = (id: string, more: Partial<Teammate> = {}): Teammate => ({ id, name: id, role: "member", active: true, bot: false, ...more });
const SALES = { id: "sales", name: "Sales", members: ["ana", "bo"] };
const SUPPORT = { id: "support", name: "Support", members: ["bo"] };

describe("people", () => {
  test("bots are no people; who works here comes first, by name", () => {
    const all = [person("z", { name: "Ada", active: false }), person("c", { name: "Cy" }), person("robot", { bot: true }), person("a", { name: "Ana" })];
    expect(inOrder(all).map(({ id }) => id)).toEqual(["a", "c", "z"]);
  });

  test("their inboxes by name", () => {
    expect(inboxesOf("bo", [SALES, SUPPORT])).toBe("Sales, Support");
    expect(inboxesOf("dee", [SALES, SUPPORT])).toBe("");
    expect(inboxNames(["support", "gone"], [SALES, SUPPORT])).toBe("Support, gone");
  });
});

test.each([
  ["", "", "Write the name"],
  ["  ", "ana", "Write the name"],
  ["Ana", "Not an id", "small letters"],
  ["Ana", "", ""],
  ["Ana", "ana_2-b", ""],
])("inviting %j as %j", (name, id, says) => {
  const problem = inviteProblem(name, id);
  expect(says ? problem.includes(says) : problem === "").toBe(true);
});

describe("reassigning", () => {
  const people = [person("ana"), person("bo"), person("dee"), person("eve", { active: false })];

  test("to whom: nobody deactivated, not themselves, members where one inbox is chosen", () => {
    const ids = (inbox?: typeof SALES): string[] => receivers("ana", people, inbox).map(({ id }) => id);
    expect(ids()).toEqual(["bo", "dee"]);
    expect(ids(SALES)).toEqual(["bo"]);
  });

  test("what came of it", () => {
    expect(conversationsWords(1)).toBe("1 conversation");
    expect(movedWords(2, "Ana", "Bo")).toBe("2 conversations of Ana moved to Bo.");
    expect(movedWords(1, "Ana", null)).toBe("1 conversation of Ana returned to the inboxes.");
    expect(movedWords(0, "Ana", null)).toBe("No conversation of Ana was moved.");
  });

  test("why some stayed", () => {
    expect(leftWords("target_not_member", "Bo")).toBe("Bo is not a member of its inbox");
    expect(leftWords("stale_token", null)).toBe("changed while this was running");
    expect(leftWords("of a newer server", null)).toBe("refused (of a newer server)");
  });
});
