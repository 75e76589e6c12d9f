/** The rooms somebody looks at, followed event by event. */
import { Op, type EvFrame, type ResetFrame, type SnapFrame, type UnsubdFrame } from "../wire";
import type { Core } from "./core";
import type { LogState } from "./log";
import type { Losses } from "./losses";
import type { Threads } from "./threads";

const LOGS_KEPT = 64;
const AGAIN_MS = 1000;
/** 100 internal, 111 rate_limited, 130 unavailable: the subscription may be had later. */
const TRANSIENT: ReadonlySet<number> = new Set([100, 111, 130]);

export type RoomLogFrame = SnapFrame | EvFrame | ResetFrame | UnsubdFrame;

export class RoomFeed {
  private readonly subscribing = new Map<number, string>();

  constructor(
    private readonly core: Core,
    private readonly threads: Threads,
    private readonly losses: Losses,
    private readonly nextId: () => number,
  ) {}

  /** False when it is followed already. */
  follow(room: string): boolean {
    const log = this.core.log(room);
    if (log.followed) return false;
    log.followed = true;
    log.invalidate();
    this.subscribe(log);
    return true;
  }

  /** Where it stands is kept, to go on from there. */
  leave(room: string): void {
    const log = this.core.roomLogs.get(room);
    if (log === undefined || !log.followed) return;
    log.followed = false;
    log.invalidate();
    this.core.out.tell([Op.UNSUB, [room]]);
    this.trim();
  }

  /** A new connection: nothing is subscribed there. */
  opened(): void {
    this.subscribing.clear();
    for (const log of this.core.roomLogs.values()) if (log.followed) this.subscribe(log);
  }

  /** OK to request `id`; false when it was none of these. */
  subscribed(id: number): boolean {
    return this.subscribing.delete(id);
  }

  /** ERR to request `id`; false when it was none of these. */
  notSubscribed(id: number, retryMs: number | null): boolean {
    const room = this.subscribing.get(id);
    if (room === undefined) return false;
    this.subscribing.delete(id);
    this.later(room, retryMs ?? AGAIN_MS);
    return true;
  }

  receive(frame: RoomLogFrame): void {
    const log = this.core.roomLogs.get(frame[1]);
    if (log === undefined) return;
    switch (frame[0]) {
      case Op.SNAP:
        return this.snap(log, frame);
      case Op.EV:
        return this.event(log, frame);
      case Op.RESET:
        return this.reset(log, frame[2], frame[3] ?? []);
      case Op.UNSUBD:
        if (TRANSIENT.has(frame[2])) this.later(log.id, AGAIN_MS);
        else log.followed = false;
    }
  }

  /** It is none of mine any more. */
  gone(room: string): void {
    this.core.roomLogs.delete(room);
    this.threads.drop(room);
  }

  /** Called every few seconds while connected: see Inflow. */
  watch(): void {
    for (const log of this.core.roomLogs.values()) {
      if (log.followed && log.sequence.position !== null && log.stuck()) this.lost(log);
    }
  }

  /** Something that was answered is not in the log: what was acknowledged may be lost with it. */
  lost(log: LogState): void {
    this.gap(log);
    this.losses.check(log.id);
  }

  private subscribe(log: LogState): void {
    const id = this.nextId();
    const at = log.sequence.position;
    const item = at === null ? [log.id, "list"] : [log.id, "list", at.epoch, at.seq, at.tip];
    if (this.core.out.tell([Op.SUB, id, [item]])) this.subscribing.set(id, log.id);
  }

  private later(room: string, ms: number): void {
    this.core.out.later(ms, () => {
      const log = this.core.roomLogs.get(room);
      if (log?.followed) this.core.step(() => this.subscribe(log));
    });
  }

  private snap(log: LogState, [, , epoch, seq, tip]: SnapFrame): void {
    if (!log.followed || !log.sequence.snapshot({ epoch, seq, tip })) return;
    const first = !log.snapped;
    log.invalidate();
    log.snapped = true;
    log.since = seq;
    this.threads.resync(log.id, { seq, first });
  }

  private event(log: LogState, [, room, seq, meta, body, tip]: EvFrame): void {
    if (!log.followed) return;
    const verdict = log.sequence.event(seq, tip);
    if (verdict === "gap") return this.gap(log);
    if (verdict === "ignore") return;
    if (!log.passed(seq, tip, meta)) return this.lost(log);
    this.threads.event(room, seq, meta, body);
    log.release();
  }

  /** What is shown stays until the snapshot is there. */
  private gap(log: LogState): void {
    log.sequence.reset();
    log.invalidate();
    if (log.followed) this.subscribe(log);
  }

  private reset(log: LogState, reason: string, lost: readonly string[]): void {
    log.sequence.reset();
    log.invalidate();
    if (reason === "perm") this.gone(log.id);
    this.losses.named(log.id, lost);
    if (reason === "fork" || reason === "epoch") this.losses.check(log.id);
  }

  private trim(): void {
    for (const [room, log] of this.core.roomLogs) {
      if (this.core.roomLogs.size <= LOGS_KEPT) return;
      if (!log.followed) this.core.roomLogs.delete(room);
    }
  }
}
