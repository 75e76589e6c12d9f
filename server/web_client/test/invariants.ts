/** What must hold between a client and the model after every step, and at rest. */
import { expect } from "vitest";
import type { ClosableStore, Client } from "../src/store/client";
import type { InboxState } from "../src/store/inbox";
import type { Row, View } from "../src/wire";
import { viewOf, type ModelInbox } from "./model";

export const VIEWS: readonly View[] = ["unassigned", "mine", "others", "done", "all"];
type ListView = "unassigned" | "mine" | "others" | "done" | "all";

/** `expect` is slow: it is asked only once something is wrong. */
function equal(a: unknown, b: unknown, what: string): void {
  if (a === b) return;
  if (JSON.stringify(a) !== JSON.stringify(b)) expect(a, what).toEqual(b);
}

function sameIds(ids: readonly string[], due: readonly string[], what: () => string): void {
  if (ids.length === due.length && ids.every((id, i) => id === due[i])) return;
  expect(ids, what()).toEqual(due);
}

export interface Subject {
  readonly client: Client;
  readonly store: ClosableStore;
  readonly inboxes: readonly ModelInbox[];
  /** Conversations with an open thread. */
  readonly threads: ReadonlySet<string>;
}

/** Whether the client stands in the model's present history, and where. */
function standing(state: InboxState, inbox: ModelInbox): number | null {
  const at = state.sequence.position;
  if (at === null || !state.snapped || state.void) return null;
  return inbox.tipAt(at.seq) === at.tip ? at.seq : null;
}

/** After every step. */
export function holds(subject: Subject): void {
  for (const inbox of subject.inboxes) {
    const state = subject.client.core.state(inbox.id);
    const at = standing(state, inbox);
    if (at === null) continue;
    countsHold(state, inbox, at);
    if (state.aheadOf().some((conv) => !isVersion(subject, inbox, conv))) continue;
    const rows = rowsHold(subject, inbox, at);
    windowsHold(subject, state, inbox, rows);
  }
  mergedHold(subject);
  threadsHold(subject);
}

/** False for a row that an answer brought ahead of the events, and a failover then took away. */
function isVersion(subject: Subject, inbox: ModelInbox, conv: string): boolean {
  const known = subject.client.core.rows.get(conv);
  const versions = inbox.state.versions.get(conv) ?? [];
  return versions.some((row) => JSON.stringify(row) === JSON.stringify(known));
}

/** Each known row is a version of the log, and not older than what has been applied. */
function rowsHold(subject: Subject, inbox: ModelInbox, at: number): Map<string, Row> {
  const { core } = subject.client;
  const rows = new Map<string, Row>();
  for (const [conv, versions] of inbox.state.versions) {
    const due = inbox.rowAt(conv, at);
    const known = core.rows.get(conv);
    if (known === undefined) {
      if (due !== undefined) rows.set(conv, due);
      continue;
    }
    const version = versions.find((row) => row.rev === known.rev);
    equal(known, version, `row ${conv} at ${at}`);
    if (known.rev < (due?.rev ?? 0)) expect(known, `row ${conv} is stale at ${at}`).toEqual(due);
    rows.set(conv, known);
  }
  return rows;
}

function countsHold(state: InboxState, inbox: ModelInbox, at: number): void {
  const due = [...inbox.state.versions.keys()].map((conv) => inbox.rowAt(conv, at));
  const rows = due.filter((row): row is Row => row !== undefined);
  equal(state.counts, inbox.counts(rows), `counts of ${inbox.id} at ${at}`);
}

/** window = head of the true list, as it is shown. */
function windowsHold(
  subject: Subject,
  state: InboxState,
  inbox: ModelInbox,
  rows: ReadonlyMap<string, Row>,
): void {
  const { core } = subject.client;
  // My acts show on rows that are known; what is not known must be below every floor.
  const shown = [...rows.values()].map((row) =>
    core.rows.get(row.id) === undefined ? row : core.pending.over(row),
  );
  for (const view of VIEWS as ListView[]) {
    const window = state.windows[view];
    const head = shown
      .filter((row) => (view === "all" || viewOf(row, inbox.me) === view) && row.last_ms >= window.floor)
      .sort((a, b) => b.last_ms - a.last_ms || (a.id < b.id ? -1 : 1));
    const ids = window.entries.map((entry) => entry.id);
    const due = head.map((row) => row.id);
    sameIds(ids, due, () => `${view} of ${inbox.id} from ${window.floor}`);
  }
}

/** A merged list is its windows above the highest floor, in order. */
function mergedHold(subject: Subject): void {
  const { core } = subject.client;
  for (const list of core.lists.values()) {
    const states = core.members(list).filter((state) => state.snapped);
    const windows = states.map((state) => state.windows[list.view]);
    const floor = Math.max(-Infinity, ...windows.map((window) => window.floor));
    const entries = windows.flatMap((window) => window.entries);
    const ids = entries
      .filter((entry) => list.inbox !== null || entry.ms >= floor)
      .sort((a, b) => b.ms - a.ms || (a.inbox < b.inbox ? -1 : a.inbox > b.inbox ? 1 : a.id < b.id ? -1 : 1))
      .map((entry) => entry.id);
    sameIds(list.ids.peek(), ids, () => `${list.view} of ${list.inbox ?? "all"}`);
  }
}

/** Contiguous, nothing twice, my own lines last. */
function threadsHold(subject: Subject): void {
  for (const conv of subject.threads) {
    const lines = subject.store.thread(conv).lines.peek();
    const numbers = lines.filter((line) => line.n > 0).map((line) => line.n);
    const first = numbers[0] ?? 1;
    equal(numbers, numbers.map((_, i) => first + i), `lines of ${conv}`);
    equal(new Set(lines.map((line) => line.key)).size, lines.length, `keys of ${conv}`);
  }
}

/** Once everything has been delivered: the client is the server. */
export function agrees(subject: Subject): void {
  const { client, store } = subject;
  const { core } = client;
  expect(store.link.peek().state).toBe("live");
  equal([...core.pending.conversations()], [], "acts still pending");
  expect(client.requests.size, "requests unanswered").toBe(0);
  expect(core.others.wish.peek(), "what I asked to be").toBeNull();
  for (const inbox of subject.inboxes) {
    const state = core.state(inbox.id);
    expect(standing(state, inbox), `${inbox.id} is at rest`).toBe(inbox.state.seq);
    for (const row of inbox.rows()) {
      const view = core.views.of(row.id).peek();
      if (view === undefined) continue;
      expect(view.row).toEqual(row);
      expect(view.badge, `badge of ${row.id}`).toBe(inbox.badge(row));
      const mine = row.assignee === inbox.me ? "mine" : "other";
      expect(view.flag).toBe(row.status === "assigned" ? mine : "none");
      expect(view.count).toBe(view.badge === "none" ? 0 : Math.max(1, row.unanswered));
    }
    const [, , blue, green, unassigned] = inbox.totals();
    expect(store.totalsOf(inbox.id).peek()).toEqual({ blue, green, unassigned });
    for (const view of VIEWS as ListView[]) {
      const list = store.list(view, inbox.id);
      expect(list.loading.peek(), `${view} of ${inbox.id} loads`).toBe(false);
      const total = list.total.peek();
      if (total !== null) expect(total, `total of ${view}`).toBe(inbox.view(view).length);
      if (view !== "others" && core.sizes.rows > 32) expect(total, `total of ${view}`).not.toBeNull();
    }
  }
  for (const conv of subject.threads) threadAgrees(subject, conv);
}

function threadAgrees(subject: Subject, conv: string): void {
  const inbox = subject.inboxes.find((one) => conv.startsWith(`${one.id}.`)) as ModelInbox;
  const thread = subject.store.thread(conv);
  if (inbox.row(conv) === undefined) return;
  const messages = inbox.state.threads.get(conv) ?? [];
  const lines = thread.lines.peek();
  expect(thread.loading.peek(), `${conv} loads`).toBe(false);
  expect(lines.at(-1)?.n, `newest of ${conv}`).toBe(messages.length);
  for (const line of lines) {
    const message = messages[line.n - 1];
    expect([line.n, line.kind, line.actor, line.text, line.state], `line of ${conv}`).toEqual([
      message?.[0],
      message?.[3],
      message?.[4],
      message?.[7]?.text ?? "",
      message?.[6],
    ]);
  }
  expect(thread.atStart.peek(), `start of ${conv}`).toBe(lines[0]?.n === 1);
}
