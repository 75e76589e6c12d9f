/** Asking the server for the inboxes that are to be followed, with positions where there are any. */
import { Op } from "../wire";
import type { Core } from "./core";
import type { Requests } from "./requests";
import type { Subscriptions } from "./subscriptions";

const SUBS_PER_FRAME = 64;
const RESUBSCRIBE_MS = 1000;
/** 100 internal, 111 rate_limited, 130 unavailable: the subscription may be had later. */
const TRANSIENT: ReadonlySet<number> = new Set([100, 111, 130]);
const FORBIDDEN = 103;

export class Subscriber {
  private readonly subscribing = new Map<number, readonly string[]>();
  private readonly again = new Set<string>();

  constructor(
    private readonly core: Core,
    private readonly requests: Requests,
    private readonly subscriptions: Subscriptions,
  ) {}

  /** A new connection: nothing is subscribed there. */
  opening(): void {
    this.subscribing.clear();
    this.again.clear();
    for (const state of this.core.states.values()) state.followed = false;
  }

  /** Follow what is wanted now; called when inboxes come, go, or are shown. */
  follow(): void {
    const { core, subscriptions } = this;
    const joined = core.inboxes.peek().filter((inbox) => inbox.joined);
    const present = new Set(core.inboxes.peek().map((inbox) => inbox.id));
    const wanted = new Set(
      subscriptions.wanted(
        present,
        joined.map((inbox) => inbox.id),
      ),
    );
    const dropped = [...core.states.values()].filter((s) => s.followed && !wanted.has(s.id));
    for (const state of dropped) {
      state.followed = false;
      core.counted(state);
    }
    if (dropped.length > 0) core.out.tell([Op.UNSUB, dropped.map((state) => state.id)]);
    const added = [...wanted].filter((inbox) => !core.state(inbox).followed);
    for (const inbox of added) core.state(inbox).followed = true;
    this.subscribe(added);
  }

  /** Ask for these. */
  subscribe(inboxes: readonly string[]): void {
    const { core, requests } = this;
    for (let start = 0; start < inboxes.length; start += SUBS_PER_FRAME) {
      const chunk = inboxes.slice(start, start + SUBS_PER_FRAME);
      const id = requests.nextId();
      const items = chunk.map((inbox) => {
        const at = core.state(inbox).sequence.position;
        return at === null ? [inbox, "list"] : [inbox, "list", at.epoch, at.seq, at.tip];
      });
      if (core.out.tell([Op.SUB, id, items])) this.subscribing.set(id, chunk);
    }
  }

  /** OK to request `id`; false when it was none of these. */
  subscribed(id: number): boolean {
    return this.subscribing.delete(id);
  }

  /** ERR to request `id`; false when it was none of these. */
  notSubscribed(id: number, retryMs: number | null): boolean {
    const inboxes = this.subscribing.get(id);
    if (inboxes === undefined) return false;
    this.subscribing.delete(id);
    for (const inbox of inboxes) this.subscribeLater(inbox, retryMs ?? RESUBSCRIBE_MS);
    return true;
  }

  /** The server ended a subscription. */
  unsubscribed(inbox: string, code: number): void {
    const { core } = this;
    const state = core.states.get(inbox);
    if (state === undefined) return;
    // The organisation says who may see an inbox before the inbox itself knows of them.
    const early = code === FORBIDDEN && core.inboxes.peek().some(({ id }) => id === inbox);
    if (early || TRANSIENT.has(code)) {
      this.subscribeLater(inbox, RESUBSCRIBE_MS);
      return;
    }
    state.followed = false;
    core.counted(state);
  }

  private subscribeLater(inbox: string, ms: number): void {
    const { core } = this;
    if (this.again.has(inbox)) return;
    this.again.add(inbox);
    core.out.later(ms, () => {
      if (!this.again.delete(inbox) || !core.states.get(inbox)?.followed) return;
      core.step(() => this.subscribe([inbox]));
    });
  }
}
