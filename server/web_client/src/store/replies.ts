/** Replies, posts and notes: sent once however often pressed, kept until answered, handed back as drafts. */
import type { Line, MediaRef, Outcome } from "../contract";
import { Op, type Message, type Row } from "../wire";
import type { Core } from "./core";
import { idsOf, OK, refused, type Acts, type ActsIo } from "./acts";
import type { Answer } from "./requests";
import { isRoom } from "./rooms";
import type { Ack } from "./shapes";
import type { Threads } from "./threads";

export const OUTBOX_MAX = 50;
/** The same text pressed again within this, and nothing typed since, is the same press. */
const PRESS_MS = 2000;

/** A reply or a post that has not been answered; sent again it is the same one by its cid. */
export interface OutboxItem {
  readonly cid: string;
  readonly conv: string;
  readonly text: string;
  readonly media: readonly MediaRef[];
  /** Whom a post names; ownership and marks are a reply's only. */
  readonly mentions?: readonly string[];
  readonly ownTok: string;
  readonly seen: string;
  readonly atMs: number;
}

/** Where unanswered replies outlive this tab. */
export interface Outbox {
  put(item: OutboxItem): void;
  remove(cid: string): void;
}

/** What a person wrote, and the files with it. */
export interface Words {
  readonly text: string;
  readonly media: readonly MediaRef[];
  readonly mentions?: readonly string[];
}

export interface Drafts {
  take(conv: string): void;
  /** Put back what was taken, before whatever is there. */
  giveBack(conv: string, words: Words): void;
  /** Whether anything is there. */
  holds(conv: string): boolean;
}

interface Press extends Words {
  readonly atMs: number;
  readonly outcome: Promise<Outcome>;
}

export class Replies {
  /** Replies on their way, by cid. */
  private readonly under = new Set<string>();
  private readonly pressed = new Map<string, Press>();

  constructor(
    private readonly core: Core,
    private readonly threads: Threads,
    private readonly acts: Acts,
    private readonly outbox: () => Outbox,
    private readonly drafts: Drafts,
    private readonly io: ActsIo,
  ) {}

  reply(conv: string, text: string, media: readonly MediaRef[] = []): Promise<Outcome> {
    return this.press(conv, { text, media });
  }

  /** In a room, where nobody owns anything. */
  post(conv: string, text: string, mentions: readonly string[] = [], media: readonly MediaRef[] = []): Promise<Outcome> {
    return this.press(conv, { text, media, mentions });
  }

  private press(conv: string, words: Words): Promise<Outcome> {
    const { text, media } = words;
    if (text.trim() === "" && media.length === 0) return Promise.resolve(refused("bad_request", "There is no text."));
    const nowMs = this.core.out.nowMs();
    const last = this.pressed.get(conv);
    const again = last !== undefined && last.text === text && sameFiles(last.media, media) && nowMs - last.atMs < PRESS_MS;
    if (again && !this.drafts.holds(conv)) return last.outcome;
    const outcome = this.send(conv, words, nowMs);
    this.pressed.clear();
    this.pressed.set(conv, { text, media, atMs: nowMs, outcome });
    return outcome;
  }

  note(conv: string, text: string, mentions: readonly string[] = []): Promise<Outcome> {
    if (text.trim() === "") return Promise.resolve(refused("bad_request", "There is no text."));
    if (!this.io.live()) return this.acts.offline();
    const cid = this.io.cid();
    this.core.step(() => this.threads.say(conv, this.line(cid, "noted", { text, media: [], mentions }, "sending")));
    return this.acts.chain(conv, () =>
      this.acts.command(conv, "note", cid, { conv, text, mentions }, (answer) => {
        if (answer.kind === "ok") this.acknowledged(conv, cid, "", answer.result);
        else this.threads.unsay(conv, cid);
        if (answer.kind === "unknown") this.threads.reread(conv);
      }),
    );
  }

  /** Unanswered replies of a tab that is gone. */
  adopt(items: readonly OutboxItem[]): void {
    for (const item of items) {
      if (this.under.has(item.cid)) continue;
      this.under.add(item.cid);
      this.core.step(() => {
        this.threads.say(item.conv, this.line(item.cid, spoken(item.conv), item, "sending"));
      });
      void this.acts.chain(item.conv, () => this.command(item, item.atMs));
    }
  }

  /** A connection is there: what waited goes out. */
  opened(): void {
    this.core.step(() => this.restate("waiting", "sending"));
  }

  /** The connection is gone: what was not sent waits. */
  closed(): void {
    this.core.step(() => this.restate("sending", "waiting"));
  }

  private restate(from: Line["state"], to: Line["state"]): void {
    for (const [conv, cid] of this.threads.saying()) {
      const line = this.threads.said(conv, cid);
      if (line?.state === from) this.threads.say(conv, { ...line, state: to });
    }
  }

  private send(conv: string, words: Words, nowMs: number): Promise<Outcome> {
    if (this.under.size >= OUTBOX_MAX) {
      return Promise.resolve(refused("offline", "Too many replies wait for a connection already."));
    }
    const live = this.io.live();
    const cid = this.io.cid();
    this.under.add(cid);
    this.core.step(() => {
      this.drafts.take(conv);
      this.threads.say(conv, this.line(cid, spoken(conv), words, live ? "sending" : "waiting"));
    });
    // Persisted at once where the token is certain: what waits outlives a reload.
    const known = this.known(conv, cid, words, nowMs);
    const sent = this.acts.chain(conv, async () => {
      const item = known ?? this.item(await this.acts.row(conv), cid, words, nowMs);
      if (item !== undefined) return this.command(item, nowMs);
      this.core.step(() => this.becomeDraft(conv, cid, words));
      return refused("not_owner", "Assign the conversation to yourself first.");
    });
    return live ? sent : Promise.resolve(OK(conv));
  }

  /** What is sent, where that is certain already. */
  private known(conv: string, cid: string, words: Words, atMs: number): OutboxItem | undefined {
    if (isRoom(conv)) return this.kept({ ...words, cid, conv, ownTok: "", seen: "", atMs });
    const row = this.core.pending.has(conv) ? undefined : this.core.shown(conv);
    return row && this.item(row, cid, words, atMs);
  }

  /** What is sent, if the conversation is mine. */
  private item(
    row: Row | undefined,
    cid: string,
    { text, media }: Words,
    atMs: number,
  ): OutboxItem | undefined {
    if (row?.status !== "assigned" || row.assignee !== this.core.userId) return undefined;
    return this.kept({ cid, conv: row.id, text, media, ownTok: row.own_tok, seen: row.att, atMs });
  }

  /** It outlives this tab until it is answered. */
  private kept(item: OutboxItem): OutboxItem {
    this.outbox().put(item);
    return item;
  }

  private command(item: OutboxItem, firstSentMs: number): Promise<Outcome> {
    const { cid, conv, text, media, mentions = [], ownTok, seen } = item;
    const settled = (answer: Answer<Ack>): void => this.settled(item, answer);
    const post = isRoom(conv);
    const args = { conv, text, ...(post ? { mentions } : { own_tok: ownTok, seen }), ...idsOf(media) };
    return this.acts.command(conv, post ? "post" : "reply", cid, args, settled, firstSentMs);
  }

  private settled(item: OutboxItem, answer: Answer<Ack>): void {
    const { cid, conv } = item;
    if (answer.kind === "unknown") {
      this.lookFor(item);
      return;
    }
    this.under.delete(cid);
    this.outbox().remove(cid);
    if (answer.kind === "ok") {
      this.acknowledged(conv, cid, isRoom(conv) ? "" : "queued", answer.result);
      return;
    }
    const { slug, message } = answer.refusal;
    if (slug === "not_owner" || slug === "stale_token" || slug === "conflict") {
      this.becomeDraft(conv, cid, item);
    } else {
      this.handBack(conv, cid, item);
      this.core.notice({ kind: "refused", conv, slug, message });
    }
  }

  /** Its event is on the way; until then the line stays. */
  private acknowledged(conv: string, cid: string, as: Line["state"], ack: Ack): void {
    const line = this.threads.said(conv, cid);
    if (line === undefined) return;
    this.threads.say(conv, { ...line, state: as });
    const log = this.core.log(conv);
    if (log.sequence.position === null || !log.followed) this.threads.reread(conv);
    else if (!ack.noop && ack.seq <= log.sequence.seq) this.core.onLostHistory(log);
  }

  /** Too late to send again: whether it arrived stands in the thread. */
  private lookFor(item: OutboxItem): void {
    const { cid, conv } = item;
    this.core.out.ask(Op.HISTORY, [conv, 0, 200], (answer) => {
      const done = answer.kind === "ok" && arrived(answer.result as { messages: Message[] }, cid);
      this.outbox().remove(cid);
      if (done) {
        this.under.delete(cid);
        this.threads.unsay(conv, cid);
      } else {
        this.becomeDraft(conv, cid, item);
      }
      this.threads.reread(conv);
    });
  }

  private becomeDraft(conv: string, cid: string, words: Words): void {
    this.handBack(conv, cid, words);
    this.core.notice({ kind: "became_draft", conv });
  }

  private handBack(conv: string, cid: string, words: Words): void {
    this.under.delete(cid);
    this.outbox().remove(cid);
    this.threads.unsay(conv, cid);
    this.drafts.giveBack(conv, words);
  }

  private line(cid: string, kind: Line["kind"], { text, media, mentions = [] }: Words, state: Line["state"]): Line {
    return {
      key: `c:${cid}`,
      n: 0,
      atMs: this.core.serverNowMs,
      kind,
      actor: this.core.userId,
      text,
      media,
      why: "",
      untilMs: 0,
      to: "",
      mentions,
      note: "",
      state,
      reason: "",
    };
  }
}

const spoken = (conv: string): Line["kind"] => (isRoom(conv) ? "posted" : "replied");

function sameFiles(a: readonly MediaRef[], b: readonly MediaRef[]): boolean {
  return a.length === b.length && a.every(({ id }, at) => id === b[at]?.id);
}

function arrived(history: { readonly messages: readonly Message[] }, cid: string): boolean {
  return history.messages.some((message) => message[5] === cid);
}
