/** What is unread for me in one inbox, in step with its events. */
import type { EventMeta, MarksFrame } from "./shapes";

type Effect = "unread" | "read" | "gone" | "green" | "plain";

const TAPE_MAX = 512;

/** What an event does to my marks of its conversation: [among the unassigned, among mine]. */
export function effects(meta: EventMeta, me: string): readonly Effect[] {
  const { row, before } = meta;
  if (row === undefined) return [];
  const waiting = row.status === "unassigned" && row.att !== "";
  const waited = before?.status === "unassigned" && before.att !== "";
  const found: Effect[] = [];
  if (!waiting) {
    if (waited) found.push("gone");
  } else if (!waited || before?.att !== row.att) {
    const entering = before?.status !== "unassigned";
    found.push(entering && meta.actor === me && me !== "" ? "read" : "unread");
  }
  if (row.status === "assigned" && row.assignee === me) found.push(meta.unseen ? "green" : "plain");
  else if (before?.assignee === me) found.push("plain");
  return found;
}

/**
 * Unread among the unassigned are either the named ones, or all but the named ones: whichever the
 * server found shorter to say. Marks ahead of the events are held until those have been applied.
 */
export class Marks {
  private named = new Set<string>();
  private inverted = false;
  private mine = new Set<string>();
  private held: MarksFrame | null = null;
  private tape: { seq: number; conv: string; effects: readonly Effect[] }[] = [];

  /** Whether an unassigned conversation with an attention mark is unread. */
  blue(conv: string): boolean {
    return this.named.has(conv) !== this.inverted;
  }

  /** Whether a conversation of mine has something unseen. */
  green(conv: string): boolean {
    return this.mine.has(conv);
  }

  /** Marks arrived while events stand at `applied`; true when they are in force. */
  marks(frame: MarksFrame, applied: number): boolean {
    if (frame.seq > applied) {
      this.held = frame;
      return false;
    }
    this.held = null;
    this.install(frame);
    for (const step of this.tape) {
      if (step.seq > frame.seq) this.apply(step.conv, step.effects);
    }
    return true;
  }

  /** The next event; true when marks that were held have come into force. */
  event(seq: number, meta: EventMeta, me: string): boolean {
    if (meta.type === "member_joined" && meta.user === me && meta.fresh) this.joined();
    const conv = meta.conv;
    if (conv !== undefined) {
      const found = effects(meta, me);
      if (found.length > 0) {
        this.apply(conv, found);
        this.tape.push({ seq, conv, effects: found });
        if (this.tape.length > TAPE_MAX) this.tape.splice(0, TAPE_MAX / 2);
      }
    }
    const held = this.held;
    if (held === null || held.seq > seq) return false;
    return this.marks(held, seq);
  }

  /** What comes next counts whatever came before; until then these are shown. */
  restart(): void {
    this.held = null;
    this.tape = [];
  }

  private joined(): void {
    this.named.clear();
    this.mine.clear();
    this.inverted = true;
  }

  private install(frame: MarksFrame): void {
    this.inverted = frame.seen !== undefined;
    this.named = new Set(frame.seen ?? frame.blue ?? []);
    this.mine = new Set(frame.green);
  }

  private apply(conv: string, found: readonly Effect[]): void {
    for (const effect of found) {
      switch (effect) {
        case "unread":
          this.name(conv, !this.inverted);
          break;
        case "read":
          this.name(conv, this.inverted);
          break;
        case "gone":
          this.named.delete(conv);
          break;
        case "green":
          this.mine.add(conv);
          break;
        case "plain":
          this.mine.delete(conv);
          break;
      }
    }
  }

  private name(conv: string, on: boolean): void {
    if (on) this.named.add(conv);
    else this.named.delete(conv);
  }
}
