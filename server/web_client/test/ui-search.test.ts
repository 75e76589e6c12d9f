import { describe, expect, test } from "vitest";
import type { Found, FoundMessage } from "../src/ui/search_api";
import { countWords, groupsOf, indexWords, piecesOf, roomTitle, searchable, type Names } from "../src/ui/search_model";

const NAMES: Names = {
  customer: (number) => (number === "+14165550142" ? "Lee & Sons" : number),
  inbox: (id) => ({ sales: "Sales" })[id] ?? id,
  person: (id) => ({ u1: "Ana", u2: "Bo" })[id] ?? id,
  me: "u1",
};
const NOTHING: Found = { messages: [], conversations: [], contacts: [], channels: [], people: [], next: null, index: { complete: true, done: 0, total: 0 } };
const ROW = { id: "sales.a", inbox: "sales", customer: "+14165550142", status: "done" };
const MESSAGE: FoundMessage = { conv: "sales.a", n: 7, at_ms: 1000, conversation: ROW, room: null, excerpt: "is my order ready", marks: [[6, 11]] };

describe("marks", () => {
  test.each([
    ["is my order", [[6, 11]], ["is my ", "[order]"]],
    ["order", [[0, 5]], ["[order]"]],
    ["😀😀 order", [[3, 8]], ["😀😀 ", "[order]"]],
    ["a b a", [[0, 1], [4, 5]], ["[a]", " b ", "[a]"]],
    ["a b", [], ["a b"]],
    ["", [], []],
    ["ab", [[0, 9]], ["[ab]"]],
    ["abc", [[0, 2], [1, 3]], ["[ab]", "[c]"]],
  ] as const)("%s", (excerpt, marks, parts) =>
    expect(piecesOf(excerpt, marks).map(({ text, marked }) => (marked ? `[${text}]` : text))).toEqual(parts));
});

test.each([["", false], ["!?", false], ["  ", false], ["a", true], ["価", true], ["+1", true]])("%j is something to search for: %s", (words, is) =>
  expect(searchable(words)).toBe(is));

describe("groups", () => {
  test("empty ones are left out", () => {
    expect(groupsOf(NOTHING, NAMES)).toEqual([]);
    expect(groupsOf({ ...NOTHING, messages: [MESSAGE] }, NAMES).map(({ title }) => title)).toEqual(["Messages"]);
  });
  test("a message says whose it is, and leads to itself", () => {
    const [group] = groupsOf({ ...NOTHING, messages: [MESSAGE] }, NAMES);
    expect(group?.choices[0]).toMatchObject({ about: "Lee & Sons · Sales", target: { to: "conversation", conv: "sales.a", done: true, line: 7 } });
  });
  test("a post says in which room", () => {
    const room = { id: "~d1", kind: "direct" as const, name: "", people: ["u1", "u2"] };
    const [group] = groupsOf({ ...NOTHING, messages: [{ ...MESSAGE, conv: "~d1", conversation: null, room }] }, NAMES);
    expect(group?.choices[0]).toMatchObject({ about: "Bo", target: { conv: "~d1", line: 7 } });
    expect(roomTitle({ ...room, people: ["u1"] }, NAMES)).toBe("Ana (you)");
    expect(roomTitle({ ...room, kind: "private", name: "ops" }, NAMES)).toBe("# ops");
  });
  test("where the others lead", () => {
    const why = { excerpt: "x", marks: [] };
    const groups = groupsOf(
      {
        ...NOTHING,
        conversations: [{ ...why, conversation: { ...ROW, status: "assigned" } }],
        contacts: [{ ...why, contact: { id: "c1", name: "Lee", numbers: ["+1416"] } }, { ...why, contact: { id: "c2", name: "No number", numbers: [] } }],
        channels: [{ ...why, id: "~c1", name: "ops", member: true }, { ...why, id: "~c2", name: "all", member: false }],
        people: [{ ...why, id: "u2", name: "Bo" }],
      },
      NAMES,
    );
    expect(groups.flatMap(({ choices }) => choices.map(({ target }) => target))).toEqual([
      { to: "conversation", conv: "sales.a", done: false, line: 0 },
      { to: "contact", number: "+1416" },
      { to: "contacts" },
      { to: "conversation", conv: "~c1", done: false, line: 0 },
      { to: "channels" },
      { to: "person", user: "u2" },
    ]);
    expect(countWords(groups)).toBe("6 found: Conversations 1, Contacts 2, Channels 2, People 1. Arrow keys choose, Enter opens.");
  });
});

test.each([
  [{ complete: true, done: 0, total: 0 }, ""],
  [{ complete: false, done: 42, total: 100 }, "The index is being built: 42 %. There may be more than what is found."],
  [{ complete: false, done: 999, total: 1000 }, "The index is being built: 99 %. There may be more than what is found."],
  [{ complete: false, done: 100, total: 100 }, "Not everything can be looked through now. There may be more than what is found."],
  [{ complete: false, done: 0, total: 0 }, "The index is being built: 0 %. There may be more than what is found."],
])("%j", (index, words) => expect(indexWords(index)).toBe(words));

test("nothing is said to be found where nothing is", () => expect(countWords([])).toBe("Nothing found."));
