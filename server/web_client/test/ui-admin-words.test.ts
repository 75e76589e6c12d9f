import { describe, expect, test } from "vitest";
import { auditQuery, dayBoundary, EVERYTHING, exportAddress, filterProblem } from "../src/ui/admin/audit_filters";
import { addressProblem, deliveryWords, eventsWords, hookName, hookState, type Delivery, type Hook } from "../src/ui/admin/hook_words";
import { exportLine, idFrom, scopesFor, scopeWords } from "../src/ui/admin/key_words";
import { busiest, duration, rate, totalsLine, waitsFor, type Live } from "../src/ui/admin/live_words";
import { agentWords, inOrder, type Session } from "../src/ui/session_words";

describe("sessions", () => {
  test.each([
    ["Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/131.0.0.0 Safari/537.36", "Chrome 131 on Linux"],
    ["Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36 Edg/130.0.0.0", "Edge 130 on Windows"],
    ["Mozilla/5.0 (Macintosh; Intel Mac OS X 14.5; rv:132.0) Gecko/20100101 Firefox/132.0", "Firefox 132 on macOS"],
    ["Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Mobile/15E148 Safari/604.1", "Safari 17 on iPhone"],
    ["Mozilla/5.0 (Linux; Android 14; SM-S918B) AppleWebKit/537.36 (KHTML, like Gecko) SamsungBrowser/25.0 Chrome/121.0.0.0 Mobile Safari/537.36", "Samsung Internet 25 on Android"],
    ["curl/8.5.0", "curl/8.5.0"],
    ["python-httpx2/1.0 (something)", "python-httpx2/1.0"],
    ["", "Unknown browser"],
  ])("%s", (agent, words) => expect(agentWords(agent)).toBe(words));

  test("what is long is cut", () => expect(agentWords("x".repeat(500))).toHaveLength(40));

  test("this one comes first, then the last used", () => {
    const one = (id: string, current: boolean, last: string | null): Session => ({
      id, current, agent: "", address: "", created_at: "2026-03-01T00:00:00Z", last_used_at: last, expires_at: "2026-04-01T00:00:00Z",
    });
    const all = [one("never", false, null), one("old", false, "2026-03-02T00:00:00Z"), one("here", true, "2026-03-02T12:00:00Z"), one("new", false, "2026-03-03T00:00:00Z")];
    expect(inOrder(all).map(({ id }) => id)).toEqual(["here", "new", "old", "never"]);
  });
});

describe("keys", () => {
  test("what a key may", () => {
    expect(scopeWords([])).toBe("Everything its user may");
    expect(scopeWords(["act", "read"])).toBe("Read, Act");
    expect(scopesFor("member").map(({ scope }) => scope)).toEqual(["read", "act"]);
    expect(scopesFor("admin").map(({ scope }) => scope)).toEqual(["read", "act", "admin"]);
  });
  test("the line for a shell", () => expect(exportLine("bbx_abc")).toBe("export BATONBOX_TOKEN=bbx_abc"));
  test.each([["Night Bot", "night-bot"], ["  Café № 2! ", "cafe-no-2"], ["日本", ""], ["a".repeat(80), "a".repeat(40)]])("%s becomes %s", (name, id) =>
    expect(idFrom(name)).toBe(id));
});

describe("webhooks", () => {
  const hook: Hook = { id: "h", url: "https://example.com/hook", label: "", events: [], inboxes: [], active: true, created_at: "", failing_since: null, last_delivery_at: null };
  const delivery: Delivery = { id: "d", event: "message.received", at: "", attempts: 1, state: "delivered", status: 200, duration_ms: 12.4, error: "", inbox: null, conv: null };

  test("state", () => {
    expect(hookState(hook)).toBe("active");
    expect(hookState({ ...hook, failing_since: "2026-03-01T00:00:00Z" })).toBe("failing");
    expect(hookState({ ...hook, failing_since: "2026-03-01T00:00:00Z", active: false })).toBe("off");
  });
  test("name", () => {
    expect(hookName(hook)).toBe("example.com");
    expect(hookName({ url: "https://example.com/", label: "CRM" })).toBe("CRM");
    expect(hookName({ url: "nonsense", label: "" })).toBe("nonsense");
  });
  test("events", () => {
    expect(eventsWords([])).toBe("All events");
    expect(eventsWords(["a", "b"])).toBe("a, b");
    expect(eventsWords(["a", "b", "c", "d"])).toBe("a, b +2");
  });
  test("deliveries", () => {
    expect(deliveryWords(delivery)).toBe("Answered 200 in 12 ms");
    expect(deliveryWords({ ...delivery, state: "retrying", status: 500, error: "not 2xx" })).toBe("Answered 500 in 12 ms: not 2xx");
    expect(deliveryWords({ ...delivery, state: "failed", status: null, duration_ms: null, error: "connection refused" })).toBe("No answer: connection refused");
    expect(deliveryWords({ ...delivery, state: "failed", status: null, duration_ms: null })).toBe("No answer");
  });
  test("addresses", () => {
    expect(addressProblem(" https://example.com/x ")).toBe("");
    for (const wrong of ["", "example.com/x", "ftp://example.com", "javascript:alert(1)"]) expect(addressProblem(wrong)).not.toBe("");
  });
});

describe("audit filters", () => {
  test("days are local, both ends included", () => {
    expect(dayBoundary("2026-03-10")).toBe(new Date(2026, 2, 10).toISOString());
    expect(dayBoundary("2026-02-28", 1)).toBe(new Date(2026, 2, 1).toISOString());
    expect(dayBoundary("10/3/2026")).toBe("");
  });
  test("only what is set is asked for", () => {
    expect([...auditQuery(EVERYTHING)]).toEqual([]);
    expect([...auditQuery({ ...EVERYTHING, actor: "dana", until: "2026-03-10" })]).toEqual([["actor", "dana"], ["until", new Date(2026, 2, 11).toISOString()]]);
  });
  test("the export carries them", () => {
    const address = new URL(exportAddress({ ...EVERYTHING, action: "a&b" }, "csv"), "https://example.com");
    expect(address.pathname).toBe("/v1/admin/audit/export");
    expect([...address.searchParams]).toEqual([["format", "csv"], ["action", "a&b"]]);
  });
  test("an impossible span is said", () => {
    expect(filterProblem({ ...EVERYTHING, since: "2026-03-02", until: "2026-03-01" })).toContain("after");
    expect(filterProblem({ ...EVERYTHING, since: "2026-03-01", until: "2026-03-01" })).toBe("");
  });
});

describe("live", () => {
  const live: Live = {
    at: "2026-03-10T10:00:00Z", connections: 41, events_per_s: 12.2, unassigned: 12, assigned: 3,
    oldest_waiting_at: "2026-03-10T09:18:00Z", nodes: [], inboxes: [], people: [],
  };
  test("the line of totals", () => {
    expect(totalsLine(live)).toBe("41 clients · 12 ev/s · unassigned 12, oldest 42 min");
    expect(totalsLine({ ...live, connections: 1, unassigned: 0, oldest_waiting_at: null })).toBe("1 client · 12 ev/s · unassigned 0");
  });
  test("waiting goes by the server's clock", () => {
    expect(waitsFor("2026-03-10T09:59:40Z", live.at)).toBe("under 1 min");
    expect(waitsFor(null, live.at)).toBe("");
  });
  test.each([[0, "0"], [0.04, "0"], [0.44, "0.4"], [9.94, "9.9"], [9.96, "10"], [2, "2"], [123.4, "123"]])("%d per second reads %s", (value, words) => expect(rate(value)).toBe(words));
  test.each([[-1, "0 s"], [59.9, "59 s"], [60, "1 min"], [3661, "1 h 1 min"], [273_600, "3 d 4 h"]])("%d s reads %s", (value, words) => expect(duration(value)).toBe(words));
  test("the busiest first", () => expect(busiest([["b", 1], ["a", 1], ["c", 9]] as const, ([, n]) => n, ([name]) => name).map(([name]) => name)).toEqual(["c", "a", "b"]));
});
