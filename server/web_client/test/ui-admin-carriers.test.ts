import { describe, expect, test } from "vitest";
import { accountProblem, configOf, instruction, kindWords, rateOf, secretHint, type CarrierAccount, type Filled } from "../src/ui/admin/carrier_words";

const account = (secret: CarrierAccount["secret"]): CarrierAccount => ({
  id: "main", kind: "twilio", name: "Main", config: {}, secret, secret_file: "", built_in: false, numbers: [],
  inbound_url: null, status_url: null, rate_per_s: 0, problem: "", setup: "",
});

const filled = (change: Partial<Filled> = {}): Filled => ({
  kind: "twilio", name: "Main", id: "main", config: { account_sid: "AC1" }, secret: "s", secretFile: "", rate: "", ...change,
});

describe("an account", () => {
  test.each([
    [filled(), ""],
    [filled({ name: " " }), "Give the account a name"],
    [filled({ id: "" }), "Write an id"],
    [filled({ config: {} }), "Write the account SID."],
    [filled({ secret: "" }), "Write the auth token"],
    [filled({ secret: "", secretFile: "/run/secrets/x" }), ""],
    [filled({ rate: "fast" }), "The rate is"],
    [filled({ kind: "kannel", config: { url: "http://k.example.org/s" } }), "Write the user name."],
  ])("%#", (given, words) => {
    const problem = accountProblem(given, null);
    if (words) expect(problem).toContain(words);
    else expect(problem).toBe("");
  });

  test("keeps its secret when none is typed", () => {
    expect(accountProblem(filled({ secret: "" }), account("set"))).toBe("");
    expect(accountProblem(filled({ secret: "" }), account("none"))).toContain("Write the auth token");
    expect([account("set"), account("file"), account("none"), null].map(secretHint)).toEqual([
      "Set. Type to replace.", "From a file. Type to replace.", "", "",
    ]);
  });

  test("what is empty is left out, and what this page does not know stays", () => {
    expect(configOf(filled({ config: { account_sid: " AC2 ", messaging_service_sid: "" } }), { messaging_service_sid: "MG1", region: "ie1" })).toEqual({
      account_sid: "AC2", region: "ie1",
    });
  });
});

test("the instruction stands without the address", () => {
  expect(instruction({ setup: "Let it call:\nhttps://x.example.org/in", inbound_url: "https://x.example.org/in" })).toBe("Let it call:");
  expect(instruction({ setup: "", inbound_url: null })).toBe("");
});

test.each([["", 0], ["5", 5], [" 0,5 ", 0.5], ["-1", NaN], ["many", NaN], ["100000", NaN]])("rate %s", (typed, rate) => {
  expect(rateOf(typed)).toBe(rate);
});

test("kinds in words, newer ones by their name", () => {
  expect(["twilio", "kannel", "loopback", "smpp"].map(kindWords)).toEqual(["Twilio", "Kannel (SMPP)", "Simulated phones", "smpp"]);
});
