/** A stretch of a conversation away from its newest end: what a search or a link leads to. */
import { signal } from "@preact/signals";
import type { Line, Past as Face } from "../contract";
import { Op, type Message } from "../wire";
import type { Core } from "./core";
import type { Body, EventMeta } from "./shapes";
import { changeOf, lineOf } from "./thread";

const AROUND = 25;
const PAGE = 50;
export const PAST_MAX = 1000;

interface Page {
  readonly messages: readonly Message[];
  readonly next: number | null;
}

/** Contiguous lines, read when they are asked for. Events add none, and change or erase those that are there. */
export class Past {
  private readonly lines = signal<readonly Line[]>([]);
  private readonly loading = signal(true);
  private readonly atStart = signal(false);
  private readonly atEnd = signal(false);
  readonly face: Face;

  constructor(
    private readonly core: Core,
    private readonly conv: string,
    line: number,
  ) {
    const { lines, loading, atStart, atEnd } = this;
    this.face = { lines, loading, atStart, atEnd, unreadFrom: signal(0), older: () => this.older(), newer: () => this.newer() };
    this.ask(line + AROUND, ({ messages, next }) => {
      lines.value = messages.map(lineOf);
      atStart.value = !next;
      atEnd.value = messages.length === 0 || this.last < line + AROUND - 1;
    });
  }

  /** An event of a conversation that is followed. */
  event(conv: string, meta: EventMeta, body: Body | null): void {
    const { n = 0 } = meta;
    if (conv !== this.conv) return;
    const lines = this.lines.peek();
    if (meta.type === "purged") this.lines.value = lines.filter((line) => line.n > n);
    const change = changeOf(meta, body);
    if (change !== null) this.lines.value = lines.map((line) => (line.n === n ? { ...line, ...change } : line));
  }

  private get first(): number {
    return this.lines.peek()[0]?.n ?? 0;
  }

  private get last(): number {
    return this.lines.peek().at(-1)?.n ?? 0;
  }

  private older(): void {
    if (this.loading.peek() || this.atStart.peek() || this.full) return;
    const { first } = this;
    this.ask(first, ({ messages, next }) => {
      this.lines.value = [...messages.map(lineOf), ...this.lines.peek()];
      this.atStart.value = !next;
    });
  }

  private newer(): void {
    if (this.loading.peek() || this.atEnd.peek() || this.full) return;
    const { last } = this;
    this.ask(last + PAGE + 1, ({ messages }) => {
      this.lines.value = [...this.lines.peek(), ...messages.map(lineOf).filter(({ n }) => n > last)];
      this.atEnd.value = this.last < last + PAGE;
    });
  }

  private get full(): boolean {
    return this.lines.peek().length >= PAST_MAX;
  }

  /** The page below number `before`. */
  private ask(before: number, answered: (page: Page) => void): void {
    this.loading.value = true;
    this.core.step(() => {
      const asked = this.core.out.ask(Op.HISTORY, [this.conv, before, PAGE], (answer) => {
        if (answer.kind === "ok") answered(answer.result as Page);
        this.loading.value = false;
      });
      if (!asked) this.loading.value = false;
    });
  }
}
