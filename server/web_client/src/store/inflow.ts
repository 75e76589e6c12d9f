/** What arrives and whom it concerns. */
import type { Notice } from "../contract";
import {
  Op,
  type Body,
  type EvFrame,
  type MeFrame,
  type ServerFrame,
  type SnapFrame,
  type WelcomeFrame,
} from "../wire";
import type { Contacts } from "./contacts";
import type { Core } from "./core";
import type { InboxState } from "./inbox";
import type { Loading } from "./loading";
import type { LogState } from "./log";
import { organisationAfter, type Organisation } from "./organisation";
import type { Losses } from "./losses";
import type { Requests } from "./requests";
import type { RoomFeed, RoomLogFrame } from "./room_feed";
import { isRoom } from "./rooms";
import type { EventMeta } from "./shapes";
import { Subscriber } from "./subscriber";
import type { Subscriptions } from "./subscriptions";
import type { Threads } from "./threads";

export interface InflowParts {
  readonly core: Core;
  readonly requests: Requests;
  /** Null until somebody has opened a conversation. */
  readonly threads: () => Threads | null;
  readonly feed: () => RoomFeed | null;
  readonly loading: Loading;
  readonly subscriptions: Subscriptions;
  readonly losses: () => Losses | null;
  /** Null before a number was shown. */
  readonly contacts: () => Contacts | null;
  readonly hasDraft: (conv: string) => boolean;
  /** Somebody may want to be told of it. */
  readonly happened: (meta: EventMeta) => void;
  /** A new attention mark on a conversation. */
  readonly attention: (conv: string) => void;
  /** An inbox shows a history that does not continue the one before. */
  readonly restarted: (inbox: string) => void;
  readonly welcomed: (frame: WelcomeFrame) => void;
  /** ORG `state` has come: subscriptions are under way. */
  readonly opened: () => void;
}

/** What a room's log says. */
function ofRoom(frame: ServerFrame): RoomLogFrame | null {
  switch (frame[0]) {
    case Op.SNAP:
    case Op.EV:
    case Op.RESET:
    case Op.UNSUBD:
      return isRoom(frame[1]) ? frame : null;
    default:
      return null;
  }
}

export class Inflow {
  private organisation: Organisation | null = null;
  /** Inboxes whose history broke off; a snapshot of another is on its way. */
  private readonly broken = new Set<string>();

  /** When this page was opened, by the server's clock; Infinity before. */
  private openedMs = Infinity;
  private readonly subscriber: Subscriber;

  constructor(private readonly parts: InflowParts) {
    const { core, requests, subscriptions } = parts;
    this.subscriber = new Subscriber(core, requests, subscriptions);
  }

  /** One frame; a connection that has been replaced may still bring answers, and nothing else. */
  receive(frame: ServerFrame, current: boolean): void {
    const { core, requests } = this.parts;
    const nowMs = core.out.nowMs();
    switch (frame[0]) {
      case Op.OK:
        if (frame[1] === null || this.subscriber.subscribed(frame[1]) || this.parts.feed()?.subscribed(frame[1])) return;
        return requests.settle(frame[1], { kind: "ok", result: frame[2] }, nowMs);
      case Op.ERR: {
        const [, id, , slug, message, retryMs = null, cur = null] = frame;
        if (id === null || this.subscriber.notSubscribed(id, retryMs) || this.parts.feed()?.notSubscribed(id, retryMs)) return;
        const refusal = { slug, message, retryMs, cur };
        return requests.settle(id, { kind: "refused", refusal }, nowMs);
      }
      default:
        if (current) this.current(frame);
    }
  }

  /** Follow what is wanted now; called when inboxes come, go, or are shown. */
  follow(): void {
    this.subscriber.follow();
  }

  private current(frame: ServerFrame): void {
    const { core, feed } = this.parts;
    const told = ofRoom(frame);
    if (told !== null) return feed()?.receive(told); // nobody but who looks at it asked
    switch (frame[0]) {
      case Op.WELCOME:
        return this.welcome(frame);
      case Op.ORG:
        return this.org(frame[1], frame[2]);
      case Op.SNAP:
        return this.snap(frame);
      case Op.EV:
        return this.event(frame);
      case Op.ME:
        return this.marks(frame);
      case Op.BADGE: {
        const [, inbox, blue, green, unassigned] = frame;
        if (core.states.has(inbox)) core.totalsAre(inbox, { blue, green, unassigned });
        return;
      }
      case Op.RESET:
        return this.reset(frame[1], frame[2], frame[3] ?? []);
      case Op.UNSUBD:
        this.subscriber.unsubscribed(frame[1], frame[2]);
        return this.checkReady();
      case Op.STATUS:
        core.degraded.value = frame[1].degraded;
        return;
      case Op.PING: {
        const live = [...core.states.values()].filter((state) => state.sequence.seq >= 0);
        core.out.tell([Op.PONG, live.map((state) => [state.id, state.sequence.seq])]);
        return;
      }
      case Op.PRESENCE:
        return core.others.present(frame);
      case Op.TYPING:
        return core.others.watch(frame);
      case Op.ROOMS:
        for (const room of core.rooms.all(frame)) feed()?.gone(room);
        for (const [row] of frame[1]) this.parts.attention(row.id);
        return;
      case Op.ROOM:
        core.rooms.moved(frame);
        if (frame[2] === null) feed()?.gone(frame[1]);
        else this.parts.attention(frame[1]);
        return;
      case Op.CONTACTS:
        return this.parts.contacts()?.told(frame);
      case Op.NOTIFY:
        return this.notify(frame[1], frame[2], frame[3], frame[4]);
      default: // of a newer server, or not for state
    }
  }

  // The connection and the organisation

  private welcome(frame: WelcomeFrame): void {
    const { core, requests, subscriptions } = this.parts;
    const [, , , , limits, , , nowMs] = frame;
    core.degraded.value = false; // or STATUS says so next
    core.others.opening();
    this.parts.contacts()?.refresh();
    core.skewMs = nowMs - core.out.nowMs();
    this.openedMs = Math.min(this.openedMs, nowMs);
    const most = limits["commands_in_flight"] ?? 16;
    // SUB, SEEN and REFRESH count too: room for those is left free.
    requests.inFlight = Math.max(1, most - Math.ceil(most / 4));
    subscriptions.max = limits["subscriptions_max"] ?? 128;
    const textMaxChars = limits["text_max_chars"];
    if (textMaxChars !== undefined) core.limits.value = { textMaxChars };
    this.subscriber.opening();
    this.parts.welcomed(frame);
  }

  private org(kind: string, data: Record<string, unknown>): void {
    const { core } = this.parts;
    const org = organisationAfter(this.organisation, kind, data);
    if (org === null || org === this.organisation) return;
    this.organisation = org;
    core.userId = org.me.id;
    core.me.value = org.me;
    if (core.others.wish.peek() === org.me.away) core.others.wish.value = null;
    core.people.value = org.people;
    core.inboxes.value = org.inboxes;
    this.present(org);
    this.follow();
    if (kind === "state") this.parts.opened();
    this.checkReady();
  }

  private present(org: Organisation): void {
    const { core, threads } = this.parts;
    const now = new Map(org.inboxes.map((inbox) => [inbox.id, inbox]));
    let moved = false;
    for (const state of [...core.states.values()]) {
      if (now.has(state.id)) continue;
      this.forget(state);
      threads()?.drop(state.id);
      core.totalsAre(state.id, null);
      core.states.delete(state.id);
      moved = true;
    }
    for (const inbox of org.inboxes) {
      const known = core.states.has(inbox.id);
      const state = core.state(inbox.id);
      if (known && state.joined === inbox.joined) continue;
      state.joined = inbox.joined;
      moved = true;
      core.totalsAre(inbox.id, state.badge);
      core.views.refreshAll(inbox.id);
    }
    if (moved) for (const list of core.lists.values()) core.attach(list);
  }

  // An inbox's log

  private snap(frame: SnapFrame): void {
    const { core, threads, loading } = this.parts;
    const [, inbox, epoch, seq, tip, counts, me, rows, next] = frame;
    const state = core.states.get(inbox);
    if (state === undefined || !state.followed) return;
    if (!state.sequence.snapshot({ epoch, seq, tip })) return;
    const first = !state.snapped;
    state.invalidate();
    state.void = false;
    state.snapped = true;
    state.since = seq;
    state.counts = { ...counts };
    core.pending.reached(inbox, seq);
    core.forgetRows(inbox);
    const floor = next === null || next === undefined || next === "" ? -Infinity : Number(next);
    state.restart({ unassigned: floor, mine: floor, others: floor, done: Infinity });
    state.marks.restart();
    for (const row of rows) core.put(row, seq);
    core.marks(inbox, me);
    if (this.broken.delete(inbox)) this.parts.restarted(inbox);
    threads()?.resync(inbox, { seq, first });
    loading.fillAll(state);
    core.counted(state);
    this.checkReady();
  }

  private event(frame: EvFrame): void {
    const [, inbox, seq, meta, body, tip] = frame;
    const state = this.parts.core.states.get(inbox);
    if (state === undefined || !state.followed) return;
    switch (state.sequence.event(seq, tip)) {
      case "apply":
        if (state.passed(seq, tip, meta)) this.applied(state, seq, meta, body);
        else this.lostHistory(state);
        break;
      case "gap":
        this.gap(state);
        break;
      case "ignore":
    }
  }

  /**
   * Called every few seconds while connected. Answers run ahead of events by moments only: what
   * stays ahead was read from a history that was lost.
   */
  watch(): void {
    this.parts.feed()?.watch();
    for (const state of this.parts.core.states.values()) {
      if (state.followed && state.sequence.position !== null && state.stuck()) {
        this.lostHistory(state);
      }
    }
  }

  /** Something that was answered is not in the log: what was acknowledged may be lost with it. */
  lostHistory(log: LogState): void {
    const state = this.parts.core.states.get(log.id);
    if (state === undefined) return;
    this.broken.add(state.id);
    this.settled(state, Infinity);
    this.gap(state);
    this.parts.losses()?.check(state.id);
  }

  /** What is shown stays until the snapshot is there. */
  private gap(state: InboxState): void {
    state.sequence.reset();
    state.invalidate();
    this.subscriber.subscribe([state.id]);
  }

  private applied(state: InboxState, seq: number, meta: EventMeta, body: Body | null): void {
    const { core, threads } = this.parts;
    const { conv, row, before } = meta;
    const installed = state.marks.event(seq, meta, core.userId);
    if (row !== undefined && conv !== undefined) {
      if (before?.status !== row.status || meta.whole === true) {
        state.count(meta);
        core.counted(state);
      }
      if (core.pending.has(conv)) {
        core.pending.event(conv, seq, meta);
        core.counted(state);
      }
      core.glances.superseded(conv);
      if (meta.whole === true) core.rows.erase(conv, seq);
      else core.rows.put(row, seq, true);
      core.changed(conv);
      threads()?.event(conv, seq, meta, body);
    }
    if (installed) core.marked(state);
    if (core.pending.size > 0) this.settled(state, seq);
    state.release();
    this.tellAbout(state, meta);
  }

  /** Acts acknowledged up to `seq` stand in what is known, or are lost. */
  private settled(state: InboxState, seq: number): void {
    const { core } = this.parts;
    for (const conv of core.pending.reached(state.id, seq)) core.changed(conv);
  }

  private tellAbout(state: InboxState, meta: EventMeta): void {
    const { attention, happened } = this.parts;
    const { conv, row } = meta;
    if (conv === undefined || row === undefined) return;
    if (row.att !== "" && row.att !== meta.before?.att) attention(conv);
    // A snapshot may be some events old: what happened before is shown, but was told then, or never.
    if (!state.joined || row.last_ms < this.openedMs) return;
    happened(meta);
  }

  private marks(frame: MeFrame): void {
    const [, inbox, marks] = frame;
    if (this.parts.core.states.has(inbox)) this.parts.core.marks(inbox, marks);
  }

  private reset(inbox: string, reason: string, lost: readonly string[]): void {
    const { core, threads, losses } = this.parts;
    const state = core.states.get(inbox);
    if (state === undefined) return;
    state.sequence.reset();
    state.invalidate();
    state.marks.restart();
    this.settled(state, Infinity);
    state.void = state.snapped;
    this.broken.add(inbox);
    if (reason === "perm") {
      this.forget(state);
      threads()?.drop(inbox);
    }
    losses()?.named(inbox, lost);
    if (reason === "fork" || reason === "epoch") losses()?.check(inbox);
    core.counted(state);
  }

  /** Nothing of the inbox is to be seen any more. */
  private forget(state: InboxState): void {
    const { core } = this.parts;
    state.followed = false;
    state.snapped = false;
    state.since = -1;
    state.void = false;
    state.counts = null;
    state.sequence.reset();
    state.invalidate();
    for (const conv of core.rows.forget(state.id)) core.views.refresh(conv);
    state.restart({ unassigned: Infinity, mine: Infinity, others: Infinity, done: Infinity });
  }

  private notify(kind: string, inbox: string, conv: string, data: Record<string, unknown>): void {
    const { core, hasDraft } = this.parts;
    if (core.states.get(inbox)?.followed) return; // its events say it, also after an absence
    const by = String(data["by"] ?? "");
    const to = String(data["to"] ?? "");
    const notices: Record<string, Notice> = {
      handed_to_you: { kind: "handed_to_me", conv, by },
      taken_from_you: { kind: "moved_away", conv, by, to, draftKept: hasDraft(conv) },
      woken: { kind: "woken", conv },
      mention: { kind: "mention", conv, by, ...(data["n"] ? { n: Number(data["n"]) } : {}) },
      direct: { kind: "direct", conv, by },
      added: { kind: "added", conv, by },
    };
    const notice = notices[kind];
    if (notice !== undefined) core.notice(notice);
  }

  private checkReady(): void {
    const { core } = this.parts;
    if (core.ready.peek() || this.organisation === null) return;
    const followed = [...core.states.values()].filter((state) => state.followed);
    core.ready.value = followed.every((state) => state.snapped);
  }
}
