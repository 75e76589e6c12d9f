import { expect, test } from "vitest";
import { format, opening, parse } from "../src/ui/route";

test.each([
  ["/inboxes/all?filter=open", { page: "inboxes", inbox: null, filter: "open", conv: "", section: "" }],
  ["/inboxes/sales?filter=done&c=sales.a%2Bb", { page: "inboxes", inbox: "sales", filter: "done", conv: "sales.a+b", section: "" }],
  ["/inboxes/all?filter=open&c=sales.a&n=12", { page: "inboxes", inbox: null, filter: "open", conv: "sales.a", section: "", line: 12 }],
  ["/contacts", { page: "contacts", inbox: null, filter: "open", conv: "", section: "" }],
  ["/inboxes/a%2Fb%20c?filter=open", { page: "inboxes", inbox: "a/b c", filter: "open", conv: "", section: "" }],
  ["/interactions?filter=all", { page: "interactions", inbox: null, filter: "open", conv: "", section: "" }],
  ["/interactions?filter=channels&c=%7Ec1", { page: "interactions", inbox: null, filter: "open", kinds: "channels", conv: "~c1", section: "" }],
  ["/interactions?filter=external&c=sales.a&n=3", { page: "interactions", inbox: null, filter: "open", kinds: "external", conv: "sales.a", section: "", line: 3 }],
  ["/phone", { page: "phone", inbox: null, filter: "open", conv: "", section: "" }],
  ["/admin/numbers", { page: "admin", inbox: null, filter: "open", conv: "", section: "numbers" }],
  ["/settings", { page: "settings", inbox: null, filter: "open", conv: "", section: "" }],
] as const)("%s and back", (address, route) => {
  const [path = "", query = ""] = address.split("?");
  expect(parse(path, query)).toEqual({ line: 0, kinds: "all", ...route });
  expect(format({ line: 0, kinds: "all", ...route })).toBe(address);
});

test.each(["/", "/inboxes", "/nowhere/at/all", "/%E0%A4%A", "/__proto__"])("%s leads to the inboxes", (path) => {
  expect(format(parse(path, ""))).toMatch(/^\/inboxes\/all\?filter=open$/);
});

test.each(["-1", "x", "", "1e99", "Infinity"])("the message %s is none, or none that there is", (n) => {
  expect(parse("/inboxes/all", `?c=a&n=${n}`).line).toBeGreaterThanOrEqual(0);
});

test("an unknown filter is Open", () => {
  expect(parse("/inboxes/all", "?filter=evil").filter).toBe("open");
});

test("Interactions begin with all of them, whatever an address asks for", () => {
  expect(format(parse("/interactions", "?filter=evil"))).toBe("/interactions?filter=all");
});

test("a room is opened in Interactions, a conversation in the inboxes", () => {
  expect(opening("~d1")).toMatchObject({ page: "interactions", conv: "~d1" });
  expect(opening("sales.a")).toMatchObject({ page: "inboxes", conv: "sales.a" });
});

test("the admin area begins with its inboxes", () => {
  expect(format(parse("/admin", ""))).toBe("/admin/inboxes");
});
