/** Telling colleagues what I look at, and that I type: said again while it is so, as the server forgets. */
import { Op } from "../wire";
import type { Core } from "./core";

const AGAIN_MS = 10_000;
const TYPING_MS = 3_000;

export class Watching {
  private visible = true;
  private typedMs = -Infinity;
  private toldMs = -Infinity;
  private cancel: () => void = () => undefined;

  constructor(private readonly core: Core) {}

  look(conv: string): void {
    if (this.conv === conv) return;
    this.now(conv);
  }

  leave(conv: string): void {
    if (this.conv === conv) this.now("");
  }

  /** The text changed; told at most every few seconds. */
  typing(conv: string): void {
    if (this.conv !== conv) return;
    this.typedMs = this.core.out.nowMs();
    if (this.typedMs - this.toldMs >= TYPING_MS) this.say();
  }

  /** What was typed is sent. */
  sent(conv: string): void {
    if (this.conv !== conv || this.typedMs === -Infinity) return;
    this.typedMs = this.toldMs = -Infinity;
    this.say();
  }

  /** The page is hidden, or shown again. */
  show(visible: boolean): void {
    if (this.visible === visible) return;
    this.visible = visible;
    if (this.conv !== "") this.say();
  }

  /** The connection is new: nothing was said on it. */
  opened(): void {
    if (this.conv !== "" && this.visible) this.say();
  }

  close(): void {
    this.cancel();
  }

  private get conv(): string {
    return this.core.others.looking.peek().conv;
  }

  private now(conv: string): void {
    this.typedMs = this.toldMs = -Infinity;
    this.core.step(() => this.core.others.look(conv));
    this.say();
  }

  private say(): void {
    const { core, typedMs } = this;
    this.cancel();
    const conv = this.visible ? this.conv : "";
    const nowMs = core.out.nowMs();
    const typing = conv !== "" && nowMs - typedMs < TYPING_MS;
    if (typing) this.toldMs = nowMs;
    core.step(() => core.out.tell([Op.VIEWING, conv || null, typing]));
    if (conv !== "") this.cancel = core.out.later(AGAIN_MS, () => this.say());
  }
}
