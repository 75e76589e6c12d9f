/** My drafts: kept over reload and in all my tabs, the 200 newest. */
import { signal, type Signal } from "@preact/signals";
import type { MediaRef } from "../contract";
import type { Drafts, Words } from "../store/replies";
import { Shelf, type StorageLike } from "./storage";

export const DRAFTS_MAX = 200;
const SIGNALS_MAX = 300;
const WRITE_MS = 250;

interface Kept {
  readonly text: string;
  readonly atMs: number;
}

export interface DraftsIo {
  readonly storage: StorageLike | null;
  nowMs(): number;
  later(ms: number, run: () => void): () => void;
  /** Tell my other tabs. */
  changed(conv: string, text: string): void;
}

/** Signals that write themselves down a moment after they change; `flush` when the page goes. */
export class DraftBook implements Drafts {
  private shelf: Shelf<Kept> | null = null;
  private readonly signals = new Map<string, Signal<string>>();
  /** Uploads are the server's for a day only: they last as long as the page. */
  private readonly files = new Map<string, Signal<readonly MediaRef[]>>();
  private readonly unwritten = new Set<string>();
  private cancel: (() => void) | null = null;
  /** A text that came from another tab is not told back to it. */
  private hearing = false;

  constructor(private readonly io: DraftsIo) {}

  /** The person is known: what they left is read. */
  open(user: string): void {
    this.shelf = new Shelf<Kept>(this.io.storage, `batonbox.draft.${user}.`);
    this.prune();
    for (const [conv, draft] of this.signals) {
      const kept = this.shelf.get(conv);
      if (kept !== null && draft.peek() === "") this.silently(draft, kept.text);
    }
  }

  draft(conv: string): Signal<string> {
    let draft = this.signals.get(conv);
    if (draft !== undefined) return draft;
    if (this.signals.size >= SIGNALS_MAX) this.forget();
    draft = signal(this.shelf?.get(conv)?.text ?? "");
    this.signals.set(conv, draft);
    let first = true;
    draft.subscribe(() => {
      if (!first && !this.hearing) this.touched(conv);
      first = false;
    });
    return draft;
  }

  get(conv: string): string {
    return this.signals.get(conv)?.peek() ?? this.shelf?.get(conv)?.text ?? "";
  }

  attached(conv: string): Signal<readonly MediaRef[]> {
    let files = this.files.get(conv);
    if (files === undefined) this.files.set(conv, (files = signal<readonly MediaRef[]>([])));
    return files;
  }

  /** Whether there is anything of mine that was not sent. */
  holds(conv: string): boolean {
    return this.get(conv) !== "" || (this.files.get(conv)?.peek().length ?? 0) > 0;
  }

  take(conv: string): void {
    this.draft(conv).value = "";
    this.attached(conv).value = [];
    this.flush();
  }

  giveBack(conv: string, { text, media }: Words): void {
    const draft = this.draft(conv);
    draft.value = [text, draft.peek()].filter(Boolean).join("\n");
    const files = this.attached(conv);
    files.value = [...media, ...files.peek()];
    this.flush();
  }

  /** Another tab wrote. */
  hear(conv: string, text: string): void {
    const draft = this.signals.get(conv);
    this.unwritten.delete(conv);
    if (draft !== undefined) this.silently(draft, text);
  }

  /** Write down what has changed. */
  flush(): void {
    this.cancel?.();
    this.cancel = null;
    if (this.shelf === null) return;
    for (const conv of this.unwritten) {
      const text = this.signals.get(conv)?.peek() ?? "";
      if (text === "") this.shelf.remove(conv);
      else this.shelf.set(conv, { text, atMs: this.io.nowMs() });
      this.io.changed(conv, text);
    }
    this.unwritten.clear();
  }

  /** Signed out: nothing stays on this machine. */
  clear(): void {
    this.cancel?.();
    this.unwritten.clear();
    this.shelf?.clear();
  }

  private touched(conv: string): void {
    this.unwritten.add(conv);
    this.cancel ??= this.io.later(WRITE_MS, () => this.flush());
  }

  private silently(draft: Signal<string>, text: string): void {
    this.hearing = true;
    draft.value = text;
    this.hearing = false;
  }

  private forget(): void {
    this.flush();
    for (const conv of this.signals.keys()) {
      if (this.signals.size < SIGNALS_MAX) return;
      this.signals.delete(conv);
      this.files.delete(conv);
    }
  }

  private prune(): void {
    const kept = this.shelf?.all() ?? [];
    kept.sort(([, a], [, b]) => b.atMs - a.atMs);
    for (const [conv] of kept.slice(DRAFTS_MAX)) this.shelf?.remove(conv);
  }
}
