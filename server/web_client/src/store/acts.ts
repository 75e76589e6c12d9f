/** What a person does, but for replies: ownership acts are never queued, notes and new messages neither. */
import type { MediaRef, Notice, Outcome, Verb } from "../contract";
import { Op, type Row } from "../wire";
import type { Core } from "./core";
import { PendingActs } from "./pending";
import type { Answer, Refusal } from "./requests";
import { isRoom } from "./rooms";
import { inboxOf } from "./rows";
import type { Ack } from "./shapes";
import type { Threads } from "./threads";
import type { Writes } from "./writes";

const UNDO_MS = 10_000;
/** These change no row, so that no event of one follows. */
const ROWLESS: ReadonlySet<string> = new Set(["unread", "retry"]);
/** These change no owner: what can be undone stays what it was. */
const OWNERLESS: ReadonlySet<Verb> = new Set(["unread", "undo", "snooze", "wake"]);

export interface ActsIo {
  live(): boolean;
  /** A command id nobody has used. */
  cid(): string;
}

/** What an act needs to know of the row it is decided on. */
interface Plan {
  readonly verb: Verb;
  readonly to: string;
  readonly status: string;
  readonly untilMs?: number;
  readonly args: Readonly<Record<string, unknown>>;
}

type Planner = (row: Row) => Plan | string;

/** Files as a command names them; nothing where there are none. */
export const idsOf = (media: readonly MediaRef[]): { media?: string[] } => (media.length ? { media: media.map(({ id }) => id) } : {});

export const OK = (conv: string): Outcome => ({ ok: true, conv });

export function refused(slug: string, message: string, owner = ""): Outcome {
  return { ok: false, slug, message, owner };
}

export class Acts {
  private readonly pending = new PendingActs();
  private readonly chains = new Map<string, Promise<unknown>>();

  constructor(
    private readonly core: Core,
    private readonly threads: Threads,
    private readonly writes: Writes,
    private readonly io: ActsIo,
  ) {
    core.pending = this.pending;
  }

  assign(conv: string, to?: string): Promise<Outcome> {
    const { userId } = this.core;
    return this.own(conv, () => ({
      verb: "assign",
      to: to ?? userId,
      status: "assigned",
      args: to === undefined || to === userId ? {} : { to },
    }));
  }

  transfer(conv: string, to: string, note?: string): Promise<Outcome> {
    return this.own(conv, (row) => ({
      verb: "transfer",
      to,
      status: "assigned",
      args: { to, own_tok: row.own_tok, ...(note ? { note } : {}) },
    }));
  }

  giveBack(conv: string): Promise<Outcome> {
    return this.own(conv, (row) => ({
      verb: "return",
      to: "",
      status: "unassigned",
      args: { own_tok: row.own_tok },
    }));
  }

  markDone(conv: string): Promise<Outcome> {
    return this.own(conv, (row) => ({
      verb: "done",
      to: "",
      status: "done",
      args: { own_tok: row.own_tok, seen: row.in_seq },
    }));
  }

  undo(conv: string): Promise<Outcome> {
    return this.own(conv, (row) => {
      const undo = this.core.undos.get(conv);
      if (undo?.tok !== row.own_tok || undo.untilMs < this.core.out.nowMs()) {
        return "not_undoable";
      }
      const { status, assignee } = undo;
      return { verb: "undo", to: assignee, status, args: { own_tok: row.own_tok } };
    });
  }

  markUnread(conv: string): Promise<Outcome> {
    return this.own(conv, () => ({ verb: "unread", to: "", status: "", args: {} }));
  }

  snooze(conv: string, untilMs: number): Promise<Outcome> {
    return this.own(conv, (row) => ({
      verb: "snooze",
      to: row.assignee,
      status: row.status,
      untilMs,
      args: { until_ms: untilMs, own_tok: row.own_tok },
    }));
  }

  wake(conv: string): Promise<Outcome> {
    return this.own(conv, (row) => ({
      verb: "wake",
      to: row.assignee,
      status: row.status,
      args: { own_tok: row.own_tok },
    }));
  }

  retry(conv: string, n: number): Promise<Outcome> {
    if (!this.io.live()) return this.offline();
    return this.chain(conv, () => this.command(conv, "retry", this.io.cid(), { conv, n }));
  }

  compose(inbox: string, from: string, to: string, text: string, media: readonly MediaRef[] = []): Promise<Outcome> {
    if (!this.io.live()) return this.offline();
    const args = { inbox, to, text, ...(from ? { from } : {}), ...idsOf(media) };
    return this.command("", "compose", this.io.cid(), args);
  }

  /** One command of a conversation at a time, in the order they were given. */
  chain<T>(conv: string, start: () => Promise<T>): Promise<T> {
    const before = this.chains.get(conv);
    const run = before === undefined ? start() : before.then(start);
    const done = run.catch(() => undefined);
    this.chains.set(conv, done);
    void done.then(() => {
      if (this.chains.get(conv) === done) this.chains.delete(conv);
    });
    return run;
  }

  /** The row as it is shown, read if it is not known. */
  row(conv: string): Promise<Row | undefined> | Row | undefined {
    return this.core.shown(conv) ?? this.read(conv);
  }

  /** Ask the server for a conversation's row. */
  read(conv: string): Promise<Row | undefined> {
    const { core } = this;
    const state = core.state(inboxOf(conv));
    const { generation } = state;
    return new Promise((resolve) => {
      const asked = this.ask(Op.HISTORY, [conv, 0, 1], (answer) => {
        if (answer.kind === "ok" && state.generation === generation) {
          const { row, seq } = answer.result as { row: Row; seq: number };
          core.put(row, seq);
          for (const moved of core.pending.reached(inboxOf(conv), seq)) core.changed(moved);
        }
        resolve(core.shown(conv));
      });
      if (!asked) resolve(core.shown(conv));
    });
  }

  /** Send a command and tell what became of it. */
  command(
    conv: string,
    verb: string,
    cid: string,
    args: Readonly<Record<string, unknown>>,
    settled: (answer: Answer<Ack>) => void = () => undefined,
    firstSentMs: number | null = null,
  ): Promise<Outcome> {
    const about = conv || String(args["inbox"] ?? "");
    const log = about === "" || isRoom(about) ? null : this.core.log(about);
    const generation = log?.generation;
    return new Promise((resolve) => {
      const answered = (answer: Answer): void => {
        if (answer.kind === "refused" && answer.refusal.cur && log !== null && log.generation === generation) {
          this.core.put(answer.refusal.cur, answer.refusal.cur.rev);
        }
        settled(answer as Answer<Ack>);
        resolve(this.outcome(conv, verb, answer as Answer<Ack>, cid));
      };
      const asked = this.ask(Op.CMD, [verb, { cid, ...args }], answered, { verb, firstSentMs });
      if (!asked) {
        const message = "Too many requests wait for a connection already.";
        const refusal = { slug: "offline", message, retryMs: null, cur: null };
        this.core.step(() => answered({ kind: "refused", refusal }));
      }
    });
  }

  offline(): Promise<Outcome> {
    this.core.notice({ kind: "offline" });
    return Promise.resolve(refused("offline", "There is no connection; nothing was changed."));
  }

  private ask(
    op: number,
    rest: readonly unknown[],
    answered: (answer: Answer) => void,
    more: { readonly verb?: string; readonly firstSentMs?: number | null } = {},
  ): boolean {
    let asked = false;
    this.core.step(() => {
      asked = this.core.out.ask(op, rest, answered, more);
    });
    return asked;
  }

  private own(conv: string, planner: Planner): Promise<Outcome> {
    if (!this.io.live()) return this.offline();
    return this.chain(conv, async () => {
      // Shown at once: nothing is awaited where the row is known.
      const row = this.core.shown(conv) ?? (await this.read(conv));
      if (row === undefined) return refused("not_found", "The conversation is not known.");
      const plan = planner(row);
      if (typeof plan === "string") return refused(plan, "It is too late, or something else happened.");
      return this.act(row, plan);
    });
  }

  private act(row: Row, plan: Plan): Promise<Outcome> {
    const { core } = this;
    const cid = this.io.cid();
    const conv = row.id;
    const sentMs = core.out.nowMs();
    core.step(() => {
      if (plan.verb === "unread" && row.att !== "") core.glances.at(conv, row.att, "unread");
      if (plan.verb === "snooze" && row.att !== "") core.glances.at(conv, row.att, "read");
      if (plan.verb !== "assign" || row.status !== "assigned") this.pend(row, plan, cid);
    });
    const args = { conv, ...plan.args };
    return this.command(conv, plan.verb, cid, args, (answer) => {
      this.settled(row, plan, cid, sentMs, answer);
    });
  }

  private pend(row: Row, plan: Plan, cid: string): void {
    const { core } = this;
    const { verb, to, status, untilMs = 0 } = plan;
    const acked = null;
    const ms = Math.max(core.serverNowMs, row.last_ms);
    this.pending.add({ cid, conv: row.id, verb, to, status, untilMs, base: row.own_tok, ms, acked });
    core.changed(row.id);
    core.counted(core.state(inboxOf(row.id)));
  }

  private settled(was: Row, plan: Plan, cid: string, sentMs: number, answer: Answer<Ack>): void {
    const { core } = this;
    const conv = was.id;
    const state = core.state(inboxOf(conv));
    if (answer.kind === "ok") {
      const ack = answer.result;
      this.pending.ack(conv, cid, ack, state.sequence.seq);
      if (!ack.noop && !OWNERLESS.has(plan.verb)) {
        this.undoable(conv, was, ack, sentMs + UNDO_MS);
      }
      if (state.sequence.position === null) this.unplaced(conv, cid);
      if (ack.noop) core.glances.drop(conv); // the marks say so already
      this.say(conv, plan, ack);
    } else {
      this.pending.drop(conv, cid);
      core.glances.drop(conv);
      if (answer.kind === "unknown") {
        void this.read(conv);
        this.threads.reread(conv);
      }
    }
    core.changed(conv);
    core.counted(state);
  }

  /** Acknowledged, but at no position to wait for: a snapshot is coming, or the row has to be read. */
  private unplaced(conv: string, cid: string): void {
    const { core } = this;
    const drop = (): void => {
      this.pending.drop(conv, cid);
      core.changed(conv);
      core.counted(core.state(inboxOf(conv)));
    };
    if (core.state(inboxOf(conv)).followed) drop();
    else void this.read(conv).then(() => core.step(drop));
  }

  private undoable(conv: string, was: Row, ack: Ack, untilMs: number): void {
    const { core } = this;
    const { status, assignee } = was;
    core.undos.set(conv, { tok: ack.own_tok, untilMs, status, assignee });
    core.out.later(Math.max(0, untilMs - core.out.nowMs()), () => {
      if (core.undos.get(conv)?.tok !== ack.own_tok) return;
      core.undos.delete(conv);
      core.step(() => core.views.refresh(conv));
    });
  }

  private say(conv: string, plan: Plan, ack: Ack): void {
    if (ack.noop) return;
    const { to, untilMs = 0 } = plan;
    const warned = ack.warnings?.[0] ?? "";
    const notices: Partial<Record<Verb, Notice>> = {
      done: { kind: "done", conv },
      return: { kind: "returned", conv },
      transfer: { kind: "transferred", conv, to, warned },
      assign: { kind: "dispatched", conv, to, warned },
      snooze: { kind: "snoozed", conv, untilMs },
    };
    const notice = notices[plan.verb];
    if (notice !== undefined && !("to" in notice && to === this.core.userId)) this.core.notice(notice);
  }

  private outcome(conv: string, verb: string, answer: Answer<Ack>, cid: string): Outcome {
    if (answer.kind === "unknown") {
      return refused("unknown", "There was no answer in time; look at what it is now.");
    }
    if (answer.kind === "refused") {
      const { slug, message, cur } = answer.refusal;
      if (verb !== "reply") this.explain(conv, verb, answer.refusal);
      return refused(slug, message, cur?.assignee ?? "");
    }
    const { result } = answer;
    const { seq: rev, tip = "" } = result;
    if (!result.noop && !ROWLESS.has(verb)) {
      this.core.log(result.conv).known(result.conv, { rev, tip });
    }
    if (result.tip) this.writes.add(inboxOf(result.conv), { cid, seq: result.seq, tip: result.tip });
    return OK(result.conv);
  }

  private explain(conv: string, verb: string, refusal: Refusal): void {
    const { slug, message, cur } = refusal;
    const by = cur?.assignee ?? "";
    if (slug === "conflict" && by !== "" && (verb === "assign" || verb === "compose")) {
      this.core.notice({ kind: "lost_race", conv: cur?.id ?? conv, by });
    } else {
      this.core.notice({ kind: "refused", conv, slug, message });
    }
  }
}
