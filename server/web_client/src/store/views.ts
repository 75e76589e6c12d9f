/** What conversations look like, one signal each: those on a screen stay, the others within a bound. */
import { signal, type ReadonlySignal, type Signal } from "@preact/signals";
import type { ConversationView } from "../contract";
import type { Core } from "./core";
import { inboxOf } from "./rows";
import { badgeOf, conversationView } from "./view";

const VIEWS_MAX = 4000;

function same(a: ConversationView, b: ConversationView): boolean {
  return (
    a.row === b.row &&
    a.badge === b.badge &&
    a.flag === b.flag &&
    a.pending === b.pending &&
    a.undoUntilMs === b.undoUntilMs
  );
}

export class Views {
  private readonly views = new Map<string, Signal<ConversationView | undefined>>();
  private readonly watched = new Set<string>();

  constructor(private readonly core: Core) {}

  of(conv: string): ReadonlySignal<ConversationView | undefined> {
    let view = this.views.get(conv);
    if (view === undefined) {
      if (this.views.size >= VIEWS_MAX) this.drop();
      const { watched } = this;
      view = signal(this.look(conv), {
        watched: () => void watched.add(conv),
        unwatched: () => void watched.delete(conv),
      });
      this.views.set(conv, view);
    }
    return view;
  }

  /** It is on a screen. */
  isWatched(conv: string): boolean {
    return this.watched.has(conv);
  }

  refresh(conv: string): void {
    const view = this.views.get(conv);
    if (view === undefined) return;
    const now = this.look(conv);
    const was = view.peek();
    if (now === undefined ? was === undefined : was !== undefined && same(now, was)) return;
    view.value = now;
  }

  refreshAll(inbox: string): void {
    for (const conv of this.views.keys()) {
      if (inboxOf(conv) === inbox && this.core.rows.get(conv) !== undefined) this.refresh(conv);
    }
  }

  /** Whether it is unread for me, and of which kind. */
  badge(conv: string): ConversationView["badge"] {
    const { rows, pending, glances, userId } = this.core;
    const row = rows.get(conv);
    const state = this.core.state(inboxOf(conv));
    if (row === undefined || !state.joined) return "none";
    const shown = pending.over(row);
    return badgeOf(shown, row, userId, state.marks, glances.of(shown));
  }

  private look(conv: string): ConversationView | undefined {
    const { rows, pending, undos, userId } = this.core;
    const row = rows.get(conv);
    if (row === undefined) return undefined;
    const shown = pending.over(row);
    const undo = undos.get(conv);
    const undoable = undo !== undefined && undo.tok === shown.own_tok;
    return conversationView({
      shown,
      badge: this.badge(conv),
      me: userId,
      pending: pending.verb(row),
      undoUntilMs: undoable ? undo.untilMs : 0,
    });
  }

  private drop(): void {
    for (const conv of this.views.keys()) {
      if (this.core.rows.get(conv) === undefined && !this.watched.has(conv)) this.views.delete(conv);
    }
  }
}
