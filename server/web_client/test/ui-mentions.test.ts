import { describe, expect, test } from "vitest";
import { calls, inserted, matching, mentioned, typing } from "../src/ui/mentions";

const DEE = { id: "u1", name: "Dee Park" };
const ANA = { id: "u2", name: "Ana" };
const ANABEL = { id: "u3", name: "Anabel" };
const JOSE = { id: "u4", name: "José Díaz" };
const PEOPLE = [DEE, ANA, ANABEL, JOSE];

describe("what is being typed", () => {
  test.each([
    ["@", 1, ""],
    ["ask @an", 7, "an"],
    ["ask @dee pa", 11, "dee pa"],
    ["(@jo", 4, "jo"],
    ["@ana and @de", 12, "de"],
  ])("%s", (text, caret, words) => expect(typing(text, caret)?.words).toBe(words));

  test.each([
    ["mail@dee", 8],
    ["a.@dee", 6],
    ["@ dee", 5],
    ["@dee\nnow", 8],
    ["no call", 7],
    ["@dee", 0],
    [`@${"x".repeat(70)}`, 71],
  ])("nothing: %s", (text, caret) => expect(typing(text, caret)).toBeNull());
});

describe("who fits", () => {
  test.each([
    ["an", ["Ana", "Anabel"]],
    ["DEE", ["Dee Park"]],
    ["par", ["Dee Park"]],
    ["diaz", ["José Díaz"]],
    ["jose d", ["José Díaz"]],
    ["u3", ["Anabel"]],
    ["nobody", []],
  ])("%s", (words, names) => expect(matching(PEOPLE, words).map(({ name }) => name)).toEqual(names));

  test("nothing typed: everybody, six at most", () => {
    const many = Array.from({ length: 9 }, (_, n) => ({ id: `m${n}`, name: `Member ${n}` }));
    expect(matching(many, "")).toHaveLength(6);
  });
});

describe("what is inserted", () => {
  test("the whole name and a blank", () => {
    expect(inserted("ask @de", 4, 7, DEE, PEOPLE)).toEqual({ text: "ask @Dee Park ", caret: 14 });
    expect(inserted("ask @de now", 4, 7, DEE, PEOPLE)).toEqual({ text: "ask @Dee Park now", caret: 14 });
  });
  test("the id where two have the same name", () => {
    const other = { id: "u9", name: "dee park" };
    expect(inserted("@de", 0, 3, other, [...PEOPLE, other]).text).toBe("@u9 ");
  });
  test("and it calls whom it was chosen for", () => {
    const twins = [...PEOPLE, { id: "u9", name: "Dee Park" }];
    for (const one of twins) expect(mentioned(inserted("@", 0, 1, one, twins).text, twins)).toEqual([one.id]);
  });
});

describe("whom a text calls", () => {
  test.each([
    ["@Dee, ask @anabel", ["u1", "u3"]],
    ["@dee park and @u2.", ["u1", "u2"]],
    ["@ana's turn", ["u2"]],
    ["@José Díaz!", ["u4"]],
    ["mail@dee.example @deeper @dee.example", []],
    ["@dee @Dee Park @u1", ["u1"]],
    ["@", []],
  ])("%s", (text, ids) => expect(mentioned(text, PEOPLE)).toEqual(ids));

  test("a first name that two have calls both", () => {
    expect(mentioned("@dee", [DEE, { id: "u9", name: "Dee Wong" }])).toEqual(["u1", "u9"]);
  });
  test("the longest name is meant, and where it stands is known", () => {
    expect(calls("hi @Dee Park, you", PEOPLE)).toEqual([{ from: 3, to: 12, ids: ["u1"] }]);
  });
});
