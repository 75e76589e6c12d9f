/** A room as the server keeps it, said as directly as it can be: for the tests of the client. */
import type { Body, Kind, Message, Meta, RoomRow } from "../src/wire";
import type { Logged } from "./model";

export class ModelRoom {
  epoch = "e1";
  log: Logged[] = [];
  oldest = 1;
  readonly members = new Set<string>();
  readonly read = new Map<string, number>();
  private lines: Message[] = [];
  private readonly replies = new Map<string, Record<string, unknown>>();
  private readonly named: { ordinal: number; users: readonly string[] }[] = [];
  private tip = "r0";
  private row: RoomRow;

  constructor(
    readonly id: string,
    readonly me: string,
    private readonly nowMs: () => number,
    kind: RoomRow["kind"] = "public",
    members: readonly string[] = ["me", "bo"],
  ) {
    const people = kind === "direct" ? [...members] : [];
    const name = kind === "direct" ? "" : "dispatch";
    this.row = { id, kind, name, people, archived: 0, rev: 0, n: 0, posts: 0, last_ms: nowMs(), last_by: "", preview: "" };
    for (const user of members) this.admit(user);
    this.line("room_created", "bo", {});
  }

  get seq(): number {
    return this.row.rev;
  }

  get posts(): number {
    return this.row.posts;
  }

  all(): readonly Message[] {
    return this.lines;
  }

  lineAt(n: number): Message | undefined {
    return this.lines[n - 1];
  }

  get state(): { readonly seq: number } {
    return { seq: this.row.rev };
  }

  tipAt(seq: number): string | undefined {
    if (seq === 0) return "r0";
    return this.log.find((entry) => entry.seq === seq)?.tip;
  }

  snapshot(): unknown[] {
    const { epoch, row, tip, members } = this;
    const me = { seq: row.rev, mv: 0, read: this.read.get(this.me) ?? 0, mentions: [] };
    return [19, this.id, epoch, row.rev, tip, { members: members.size }, me, [row], null];
  }

  /** ROOM, as this person has it. */
  told(): unknown[] {
    if (!this.members.has(this.me)) return [34, this.id, null, 0, 0];
    const read = this.read.get(this.me) ?? 0;
    const mentions = this.named.filter(({ ordinal, users }) => ordinal > read && users.includes(this.me)).length;
    return [34, this.id, this.row, this.row.posts - read, mentions];
  }

  history_(before: number, n: number): Record<string, unknown> | null {
    if (!this.members.has(this.me)) return null;
    const last = before === 0 ? this.lines.length : Math.min(this.lines.length, before - 1);
    const first = Math.max(1, last - Math.min(n, 6) + 1);
    const messages = this.lines.slice(first - 1, last);
    return { row: this.row, messages, next: first > 1 && messages.length > 0 ? first : null, seq: this.row.rev };
  }

  post(actor: string, text: string, more: { cid?: string; mentions?: readonly string[] } = {}): number {
    const { cid = "", mentions = [] } = more;
    const posts = this.row.posts + 1;
    this.row = { ...this.row, posts, last_ms: this.nowMs(), last_by: actor, preview: text };
    this.named.push({ ordinal: posts, users: mentions });
    this.read.set(actor, posts);
    return this.line("posted", actor, { text, media: [], mentions: [...mentions] }, cid, mentions.length ? { mentions: [...mentions] } : {});
  }

  edit(n: number, text: string): void {
    this.change(n, "edited", { text, media: [] });
  }

  delete(n: number): void {
    this.change(n, "deleted", {});
  }

  rename(name: string): void {
    this.row = { ...this.row, name };
    this.line("room_changed", "bo", { name } as Body);
  }

  join(user: string): void {
    this.admit(user);
    this.line("member_joined", user, { to: user }, "", { user });
  }

  drop(user: string): void {
    this.members.delete(user);
    this.line("member_removed", "bo", { to: user }, "", { user });
  }

  seen(posts: number): boolean {
    if (posts <= (this.read.get(this.me) ?? 0)) return false;
    this.read.set(this.me, Math.min(posts, this.row.posts));
    return true;
  }

  trim(): void {
    this.oldest = this.row.rev + 1;
  }

  /** Another history: what was said last is lost. */
  fork(back: number): void {
    const keep = this.row.rev - back;
    this.log = this.log.filter((entry) => entry.seq <= keep);
    this.lines = this.lines.filter((line) => line[1] <= keep);
    const posts = this.lines.filter((line) => line[3] === "posted").length;
    this.row = { ...this.row, rev: keep, n: this.lines.length, posts };
    this.tip = this.tipAt(keep) ?? "r0";
    this.epoch += "x";
  }

  command(actor: string, name: string, args: Record<string, unknown>): Record<string, unknown> | string {
    const cid = String(args["cid"]);
    const stored = this.replies.get(cid);
    if (stored !== undefined) return stored;
    if (!this.members.has(actor) && name !== "join") return "forbidden";
    switch (name) {
      case "post":
        if (this.row.archived > 0) return "bad_request";
        this.post(actor, String(args["text"]), { cid, mentions: (args["mentions"] ?? []) as string[] });
        break;
      case "edit":
        this.edit(Number(args["n"]), String(args["text"]));
        break;
      case "delete":
        this.delete(Number(args["n"]));
        break;
      case "join":
        this.join(actor);
        break;
      case "leave":
        this.drop(actor);
        break;
      case "unread":
        this.read.set(actor, Math.max(0, this.row.posts - 1));
    }
    const result = { conv: this.id, inbox: this.id, seq: this.row.rev, tip: this.tip, own_tok: "", att: "" };
    this.replies.set(cid, result);
    return result;
  }

  private admit(user: string): void {
    this.members.add(user);
    this.read.set(user, this.row.posts);
  }

  private line(kind: Kind, actor: string, body: Body, cid = "", more: Partial<Meta> = {}): number {
    const n = this.row.n + 1;
    this.row = { ...this.row, n };
    const seq = this.emit({ type: kind, conv: this.id, actor, cid, n, at_ms: this.nowMs(), ...more }, body);
    this.lines.push([n, seq, this.nowMs(), kind, actor, cid, "", body]);
    return n;
  }

  private change(n: number, state: "edited" | "deleted", body: Body): void {
    const actor = this.lines[n - 1]?.[4] ?? "";
    this.emit({ type: state, conv: this.id, actor, cid: "", n, at_ms: this.nowMs(), state: state as Meta["state"] } as Meta, body);
    this.lines = this.lines.map((line) => {
      if (line[0] !== n) return line;
      const changed = [...line] as Message;
      changed[6] = state as Message[6];
      changed[7] = body;
      return changed;
    });
  }

  private emit(meta: Meta, body: Body): number {
    const seq = this.row.rev + 1;
    const prev = this.tip;
    this.row = { ...this.row, rev: seq };
    this.tip = `r${seq}${this.epoch}`;
    this.log.push({ seq, meta: { ...meta, row: this.row as unknown as NonNullable<Meta["row"]> }, body, prev, tip: this.tip });
    return seq;
  }
}
