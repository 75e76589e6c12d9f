import { expect, test } from "vitest";
import { format, parse } from "../src/ui/route";

test.each([
  ["/inboxes/all?filter=open", { page: "inboxes", inbox: null, filter: "open", conv: "", section: "" }],
  ["/inboxes/sales?filter=done&c=sales.a%2Bb", { page: "inboxes", inbox: "sales", filter: "done", conv: "sales.a+b", section: "" }],
  ["/inboxes/a%2Fb%20c?filter=open", { page: "inboxes", inbox: "a/b c", filter: "open", conv: "", section: "" }],
  ["/interactions", { page: "interactions", inbox: null, filter: "open", conv: "", section: "" }],
  ["/phone", { page: "phone", inbox: null, filter: "open", conv: "", section: "" }],
  ["/admin/numbers", { page: "admin", inbox: null, filter: "open", conv: "", section: "numbers" }],
  ["/settings", { page: "settings", inbox: null, filter: "open", conv: "", section: "" }],
] as const)("%s and back", (address, route) => {
  const [path = "", query = ""] = address.split("?");
  expect(parse(path, query)).toEqual(route);
  expect(format(route)).toBe(address);
});

test.each(["/", "/inboxes", "/nowhere/at/all", "/%E0%A4%A", "/__proto__"])("%s leads to the inboxes", (path) => {
  expect(format(parse(path, ""))).toMatch(/^\/inboxes\/all\?filter=open$/);
});

test("an unknown filter is Open", () => {
  expect(parse("/inboxes/all", "?filter=evil").filter).toBe("open");
});

test("the admin area begins with its inboxes", () => {
  expect(format(parse("/admin", ""))).toBe("/admin/inboxes");
});
