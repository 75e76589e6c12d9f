/** Requests under way: what waits, what was sent, and what may be sent again. */
import type { Row } from "../wire";

export const CONTENT_RESEND_MS = 12 * 3600_000;
export const OWNERSHIP_RESEND_MS = 60_000;
export const WAITING_MAX = 512;
const RETRY_MS = 1000;
const RETRY_CAP_MS = 20_000;

const CONTENT: ReadonlySet<string> = new Set(["reply", "note", "compose", "post"]);

/** For how long after it was first sent a command may be sent again. */
export function resendMs(verb: string): number {
  return CONTENT.has(verb) ? CONTENT_RESEND_MS : OWNERSHIP_RESEND_MS;
}

export interface Refusal {
  readonly slug: string;
  readonly message: string;
  readonly retryMs: number | null;
  readonly cur: Row | null;
}

/** "unknown": it may have taken effect, and it is too late to ask again. */
export type Answer<T = unknown> =
  | { readonly kind: "ok"; readonly result: T }
  | { readonly kind: "refused"; readonly refusal: Refusal }
  | { readonly kind: "unknown" };

export interface Request {
  readonly id: number;
  readonly frame: readonly unknown[];
  /** The command, "" for reads, which may always be asked again. */
  readonly verb: string;
  readonly answered: (answer: Answer) => void;
  /** Null: it has surely not reached a server. */
  firstSentMs: number | null;
  tries: number;
  notBeforeMs: number;
}

/** What a refusal makes of a request: told, or tried again by itself. */
function again(request: Request, refusal: Refusal): boolean {
  const { slug } = refusal;
  if (slug === "rate_limited" || slug === "durability_timeout") return true;
  const transient = slug === "unavailable" || slug === "internal";
  if (!transient) return false;
  return request.verb === "" || (CONTENT.has(request.verb) && slug === "unavailable");
}

/** Bounded table; at most `inFlight` requests are sent and unanswered. */
export class Requests {
  inFlight = 12;
  private lastId = 0;
  private waiting: Request[] = [];
  private readonly sent = new Map<number, Request>();

  get size(): number {
    return this.waiting.length + this.sent.size;
  }

  nextId(): number {
    this.lastId = (this.lastId % (2 ** 31 - 1)) + 1;
    return this.lastId;
  }

  /** Line up `[op, id, ...rest]`; null when too many wait already. */
  add(
    op: number,
    rest: readonly unknown[],
    answered: (answer: Answer) => void,
    more: { readonly verb?: string; readonly firstSentMs?: number | null } = {},
  ): Request | null {
    if (this.waiting.length >= WAITING_MAX) return null;
    const id = this.nextId();
    const request: Request = {
      id,
      frame: [op, id, ...rest],
      verb: more.verb ?? "",
      answered,
      firstSentMs: more.firstSentMs ?? null,
      tries: 0,
      notBeforeMs: 0,
    };
    this.waiting.push(request);
    return request;
  }

  /** Frames to send now, in the order in which they were asked. */
  due(nowMs: number): (readonly unknown[])[] {
    const frames: (readonly unknown[])[] = [];
    const later: Request[] = [];
    for (const request of this.waiting) {
      if (this.sent.size >= this.inFlight || request.notBeforeMs > nowMs) {
        later.push(request);
        continue;
      }
      request.firstSentMs ??= nowMs;
      request.tries++;
      this.sent.set(request.id, request);
      frames.push(request.frame);
    }
    this.waiting = later;
    return frames;
  }

  /** When `due` or `expire` has something next; Infinity for never. */
  nextDueMs(): number {
    let next = Infinity;
    for (const request of this.waiting) next = Math.min(next, request.notBeforeMs);
    return next;
  }

  /** OK or ERR arrived; nothing for an answer nobody waits for. */
  settle(id: number, answer: Answer, nowMs: number): void {
    const request = this.sent.get(id);
    if (request === undefined) return;
    this.sent.delete(id);
    if (answer.kind === "refused" && again(request, answer.refusal) && !this.tooOld(request, nowMs)) {
      const backoff = Math.min(RETRY_CAP_MS, RETRY_MS * 2 ** Math.min(request.tries - 1, 10));
      request.notBeforeMs = nowMs + (answer.refusal.retryMs ?? backoff);
      this.waiting.push(request);
      return;
    }
    request.answered(answer);
  }

  /** The connection broke: everything unanswered is to be sent again. */
  requeue(): void {
    this.waiting = [...this.sent.values(), ...this.waiting];
    this.sent.clear();
  }

  /** Answer what is too old to be sent again; call before `due` on a new connection, and in time. */
  expire(nowMs: number): void {
    const old = this.waiting.filter((request) => this.tooOld(request, nowMs));
    if (old.length === 0) return;
    this.waiting = this.waiting.filter((request) => !old.includes(request));
    for (const request of old) request.answered({ kind: "unknown" });
  }

  private tooOld(request: Request, nowMs: number): boolean {
    if (request.verb === "" || request.firstSentMs === null) return false;
    return nowMs - request.firstSentMs > resendMs(request.verb);
  }
}
