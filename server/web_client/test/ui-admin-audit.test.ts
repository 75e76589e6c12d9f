import { expect, test } from "vitest";
import { ACTIONS, changes, fact, sentence, targetName, viaWords, type AuditEntry, type Names } from "../src/ui/admin/audit_words";

const names: Names = {
  person: (id) => ({ dana: "Dana", ana: "Ana", bo: "Bo" })[id] ?? id,
  inbox: (id) => id,
  conversation: () => "+1 416 555 0142",
};
const entry = (action: string, more: Partial<AuditEntry> = {}): AuditEntry => ({
  id: "1-0", at: "2026-03-10T10:00:00Z", actor: "dana", via: "web", address: "127.0.0.1", token: "", action, inbox: "sales",
  conv: "c1", target: "", before: null, after: null, detail: null, ...more,
});
const owned = (before: string, after: string): Partial<AuditEntry> => ({
  before: { status: "open", assignee: before }, after: { status: "open", assignee: after }, target: after,
});

test.each([
  ["take_over", owned("ana", "dana"), "took over +1 416 555 0142 from Ana"],
  ["assign", owned("", "dana"), "took +1 416 555 0142"],
  ["assign", { ...owned("", "dana"), detail: { reason: "compose" } }, "began a conversation with +1 416 555 0142"],
  ["dispatch", owned("", "bo"), "assigned +1 416 555 0142 to Bo"],
  ["transfer", owned("dana", "bo"), "transferred +1 416 555 0142 to Bo"],
  ["transfer", owned("ana", "bo"), "transferred +1 416 555 0142 from Ana to Bo"],
  ["return", owned("ana", ""), "returned +1 416 555 0142 from Ana to the inbox"],
  ["return", owned("dana", ""), "returned +1 416 555 0142 to the inbox"],
  ["done", owned("dana", "dana"), "marked +1 416 555 0142 as done"],
  ["token_revoked", { conv: null, detail: { user: "bo", label: "CRM" } }, "revoked the API key “CRM” of Bo"],
  ["role_changed", { conv: null, target: "bo" }, "changed the role of Bo"],
  ["route_changed", { conv: null, target: "+14165550100" }, "changed the number +1 416 555 0100"],
  ["unrouted_discarded", { conv: null, target: "+14165550100", detail: { messages: 2 } }, "discarded 2 messages kept for +1 416 555 0100"],
  ["rename_something", { conv: null }, "rename something"],
] as const)("%s", (action, more, words) => expect(sentence(entry(action, more), names)).toBe(words));

test("every action of the filter has a sentence", () => {
  for (const action of ACTIONS) expect(sentence(entry(action, owned("ana", "bo")), names)).not.toBe("");
});

test("what was acted on is told by its name, as the entry has it where it is gone", () => {
  const gone = { conv: null, inbox: null, target: "ibx_1", before: { id: "ibx_1", name: "Sales" } };
  expect(sentence(entry("inbox_deleted", gone), names)).toBe("deleted the inbox Sales");
  expect(changes(entry("inbox_created", { target: "ibx_1", after: { id: "ibx_1", name: "Sales" } }), names)).toBe("name: Sales");
  expect(targetName(entry("inbox_deleted", gone), names)).toBe("Sales");
  expect(targetName(entry("user_deactivated", { conv: null, target: "bo" }), names)).toBe("Bo");
  expect(targetName(entry("route_created", { conv: null, target: "+14165550100" }), names)).toBe("+1 416 555 0100");
  expect(targetName(entry("sign_in", { conv: null, target: "ses_1" }), names)).toBe("");
});

test("what changed is told field by field", () => {
  expect(changes(entry("x", { before: { name: "Sales", kind: "department" }, after: { name: "Sales Team", kind: "department" } }), names)).toBe("name: Sales → Sales Team");
  expect(changes(entry("x", { after: { members: ["ana", "bo"] } }), names)).toBe("members: Ana, Bo");
  expect(changes(entry("x", { before: { inbox: "sales" }, after: { inbox: null } }), names)).toBe("inbox: sales → none");
  expect(changes(entry("x", { before: "a", after: ["b"] }), names)).not.toContain("undefined");
  expect(changes(entry("take_over", owned("ana", "dana")), names)).toBe("");
  expect(changes(entry("members_changed", { detail: { members_added: ["bo"] } }), names)).toBe("members added: Bo");
  expect(fact("text", "length")).toBe("");
});

test("where it came from", () => expect([viaWords("web"), viaWords("cli"), viaWords("new")]).toEqual(["Page", "Command line", "new"]));

test.each([
  ["channel_created", { detail: { name: "ops" } }, "created the channel ops"],
  ["channel_renamed", { detail: { name: "shift" } }, "renamed a channel to shift"],
  ["channel_archived", { detail: { archived: "1" } }, "archived a channel"],
  ["channel_member_added", { detail: { in: "bo" } }, "added Bo to a channel"],
  ["channel_member_removed", { detail: { out: "bo" } }, "removed Bo from a channel"],
  ["contact_deleted", { before: { name: "Lee", numbers: [] } }, "deleted the contact Lee"],
  ["contacts_merged", { detail: { merged: "c2", name: "Lee (old)" } }, "merged the contact Lee (old) into another"],
  ["hold", { conv: "c1" }, "put +1 416 555 0142 on hold"],
  ["release_hold", {}, "ended the hold of a room"],
] as const)("%s", (action, more, words) => {
  expect(sentence(entry(action, { conv: null, ...more }), names)).toBe(words);
});
