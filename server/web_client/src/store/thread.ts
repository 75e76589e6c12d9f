/** One conversation's lines: a contiguous run of numbers up to the newest, and my own unconfirmed. */
import type { Line, LineKind } from "../contract";
import type { Message } from "../wire";
import type { Body, EventMeta } from "./shapes";

export const LINES_KEPT = 200;
export const LINES_OPEN_MAX = 2000;
const CHANGES_MAX = 128;

interface Confirmed {
  readonly line: Line;
  readonly cid: string;
  readonly seq: number;
  /** As of which position its state (and of a post the text) is known. */
  readonly stateSeq: number;
}

const CONTENT: ReadonlySet<string> = new Set(["replied", "composed", "noted", "posted"]);
const ARCHIVING: Readonly<Record<string, string>> = { true: "archived", false: "reopened" };
const SPOKEN: ReadonlySet<string> = new Set(["received", "answered", ...CONTENT]);

/** A line as a message of HISTORY or CONV says it. */
export function lineOf(message: Message): Line {
  const [n, , atMs, kind, actor, cid, state, wireBody, reason = ""] = message;
  const body = (wireBody ?? {}) as Body;
  return {
    // Mine keep their key from before they had a number.
    key: cid && CONTENT.has(kind) ? `c:${cid}` : `n:${n}`,
    n,
    atMs,
    kind: kind as LineKind,
    actor,
    text: body.text ?? body.name ?? "",
    media: body.media ?? [],
    why: SPOKEN.has(kind) ? "" : (body.reason ?? ARCHIVING[String(body.archived)] ?? ""),
    untilMs: body.until_ms ?? 0,
    to: body.to ?? "",
    mentions: body.mentions ?? [],
    note: body.note ?? "",
    state: state as Line["state"],
    reason,
  };
}

/** What an event makes of a line that is there: how far it came, or what was written over it. */
export function changeOf(meta: EventMeta, body: Body | null): Partial<Line> | null {
  const state = (meta.state ?? "") as Line["state"];
  if (meta.type === "delivery_changed") return { state, reason: meta.reason ?? "" };
  if (meta.type !== "edited" && meta.type !== "deleted") return null;
  const { text = "", media = [], mentions = [] } = body ?? {};
  return { state: meta.type, text, media, mentions };
}

/** What became of an event: "gap" means the newest page has to be read again. */
export type Appended = "changed" | "ignored" | "gap";

export class ThreadModel {
  /** A newest page has been merged: what is known is contiguous up to the newest. */
  loaded = false;
  atStart = false;
  private confirmed: Confirmed[] = [];
  private own: Line[] = [];
  /** What became of messages that are not loaded: a page under way may have been read before. */
  private readonly changes = new Map<number, { seq: number; change: Partial<Line> }>();

  /** The oldest number loaded, 0 for none. */
  get lowest(): number {
    return this.confirmed[0]?.line.n ?? 0;
  }

  get highest(): number {
    return this.confirmed[this.confirmed.length - 1]?.line.n ?? 0;
  }

  get size(): number {
    return this.confirmed.length;
  }

  lines(): Line[] {
    return [...this.confirmed.map((known) => known.line), ...this.own];
  }

  line(n: number): Line | undefined {
    return this.confirmed[n - this.lowest]?.line;
  }

  hasCid(cid: string): boolean {
    return this.confirmed.some((known) => known.cid === cid);
  }

  /** The log's next event of this conversation. */
  event(seq: number, meta: EventMeta, body: Body | null): Appended {
    const n = meta.n ?? 0;
    if (meta.type === "purged") return this.purged(n);
    const change = changeOf(meta, body);
    if (change !== null) return this.changed(seq, n, change);
    const { row } = meta;
    if (row === undefined || n === 0) return "ignored";
    if (this.confirmed.length > 0 && n <= this.highest) {
      // A line of the same number from elsewhere in the log is of a history that was lost.
      const known = this.confirmed[n - this.lowest];
      return known === undefined || known.seq === seq ? "ignored" : "gap";
    }
    if (this.confirmed.length > 0 && n !== this.highest + 1) return "gap";
    const { actor = "", cid = "", state = "" } = meta;
    this.push([n, seq, meta.at_ms ?? row.last_ms, meta.type, actor, cid, state, body ?? {}] as Message, seq);
    return "changed";
  }

  /** Lines up to `n` are erased for everybody. */
  private purged(n: number): Appended {
    this.confirmed = this.confirmed.filter((known) => known.line.n > n);
    if (this.lowest <= n + 1) this.atStart = true;
    return "changed";
  }

  /** The newest messages, as of position `seq`; false: a hole is left, read it again. */
  newest(messages: readonly Message[], next: number | null, seq: number): boolean {
    const page = messages.map((message) => this.merged(message, seq));
    const first = page[0]?.line.n ?? 1;
    const last = page[page.length - 1]?.line.n ?? 0;
    const above = this.confirmed.filter((known) => known.line.n > last);
    const head = above[0]?.line.n;
    if (head !== undefined && last !== 0 && head !== last + 1) return false;
    const below = this.loaded ? this.confirmed.filter((known) => known.line.n < first) : [];
    const joined = below[below.length - 1]?.line.n === first - 1 && page.length > 0;
    this.atStart = joined ? this.atStart : next === null || next === 0;
    this.confirmed = [...(joined ? below : []), ...page, ...above];
    this.loaded = true;
    this.confirmOwn();
    return true;
  }

  /** Messages below `before`; false when they do not join what is loaded. */
  older(messages: readonly Message[], next: number | null, seq: number, before: number): boolean {
    if (!this.loaded || before !== this.lowest) return false;
    const page = messages.map((message) => this.merged(message, seq));
    if (page.length > 0 && page[page.length - 1]?.line.n !== before - 1) return false;
    this.confirmed = [...page, ...this.confirmed];
    this.atStart = next === null || next === 0;
    return true;
  }

  /** Nothing of what is loaded counts any more; my lines stay that nobody has acknowledged. */
  reset(): void {
    this.own = this.own.filter((own) => own.state === "sending" || own.state === "waiting");
    this.confirmed = [];
    this.changes.clear();
    this.loaded = false;
    this.atStart = false;
  }

  /** Forget the oldest; true when there were too many. */
  trim(max: number): boolean {
    if (this.confirmed.length <= max) return false;
    this.confirmed = this.confirmed.slice(-max);
    this.atStart = false;
    return true;
  }

  /** A line of mine that has no number yet. */
  say(line: Line): void {
    const cid = line.key.slice(2);
    if (!this.hasCid(cid)) this.own = [...this.own.filter((own) => own.key !== line.key), line];
  }

  unsay(cid: string): void {
    this.own = this.own.filter((own) => own.key !== `c:${cid}`);
  }

  get ownLines(): readonly Line[] {
    return this.own;
  }

  private push(message: Message, seq: number): void {
    const [, , , , , cid] = message;
    this.confirmed.push({ line: lineOf(message), cid, seq, stateSeq: seq });
    if (cid) this.unsay(cid);
  }

  private changed(seq: number, n: number, change: Partial<Line>): Appended {
    const at = n - this.lowest;
    const known = this.confirmed[at];
    if (this.lowest === 0 || known === undefined) {
      if (this.changes.size >= CHANGES_MAX) this.changes.clear();
      this.changes.set(n, { seq, change });
      return "ignored";
    }
    if (known.stateSeq >= seq) return "ignored";
    this.confirmed[at] = { ...known, line: { ...known.line, ...change }, stateSeq: seq };
    return "changed";
  }

  /** A page's message, unless something newer is known of it from an event. */
  private merged(message: Message, asOf: number): Confirmed {
    const [n, seq, , , , cid] = message;
    const known = this.confirmed[n - this.lowest];
    if (known !== undefined && this.lowest > 0 && known.seq === seq && known.stateSeq > asOf) return known;
    const later = this.changes.get(n);
    this.changes.delete(n);
    if (later !== undefined && later.seq > asOf) {
      return { line: { ...lineOf(message), ...later.change }, cid, seq, stateSeq: later.seq };
    }
    return { line: lineOf(message), cid, seq, stateSeq: asOf };
  }

  private confirmOwn(): void {
    if (this.own.length === 0) return;
    const cids = new Set(this.confirmed.map((known) => `c:${known.cid}`));
    this.own = this.own.filter((own) => !cids.has(own.key));
  }
}
