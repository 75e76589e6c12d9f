/** Pages of lists: asked one at a time per window, placed once events have caught up with them. */
import type { ListView } from "../contract";
import { Op } from "../wire";
import type { Core } from "./core";
import { VIEWS, type InboxState } from "./inbox";
import type { ListModel } from "./lists";
import type { Answer } from "./requests";
import { inboxOf } from "./rows";
import type { PageAnswer } from "./shapes";

const AT_ONCE = 8;

export class Loading {
  constructor(private readonly core: Core) {}

  /** A person scrolled to the end of a list. */
  more(list: ListModel): void {
    const { page, rows } = this.core.sizes;
    const waiting = this.core
      .members(list)
      .filter((state) => state.snapped && !state.windows[list.view].complete)
      .sort((a, b) => b.windows[list.view].floor - a.windows[list.view].floor)
      .slice(0, AT_ONCE);
    if (waiting.some((state) => state.windows[list.view].asked !== null)) return;
    for (const state of waiting) {
      const window = state.windows[list.view];
      window.want = Math.max(window.want, Math.min(window.entries.length + page, rows));
      this.fill(state, list.view);
    }
  }

  /** Ask for what the lists on the screen, and my own list, still want. */
  fillAll(state: InboxState): void {
    const { first, mine } = this.core.sizes;
    for (const view of VIEWS) {
      const window = state.windows[view];
      const least = view === "mine" ? mine : state.lists[view].size > 0 ? first : 0;
      window.want = Math.max(window.want, least);
      this.fill(state, view);
    }
  }

  private fill(state: InboxState, view: ListView): void {
    const window = state.windows[view];
    if (!state.snapped || state.void || window.complete || window.asked !== null) return;
    if (window.entries.length >= window.want) return;
    const { floor } = window;
    const { generation } = state;
    const { page, longest } = this.core.sizes;
    const missing = Math.min(window.want - window.entries.length, longest);
    const after = floor === Infinity ? null : String(floor);
    window.asked = floor;
    const rest = [state.id, view, after, Math.max(missing, page)];
    const asked = this.core.out.ask(Op.PAGE, rest, (answer) => {
      if (state.generation === generation && window.asked === floor) {
        this.answered(state, view, answer);
      }
    });
    if (!asked) window.asked = null;
    this.core.counted(state);
  }

  private answered(state: InboxState, view: ListView, answer: Answer): void {
    const window = state.windows[view];
    if (answer.kind !== "ok") {
      window.asked = null;
      window.want = 0;
      this.core.counted(state);
      return;
    }
    const page = answer.result as PageAnswer;
    const { generation } = state;
    const { asked } = window;
    state.when(page.seq, () => {
      if (state.generation !== generation || window.asked !== asked) return;
      const { position } = state.sequence;
      if (position?.seq === page.seq && position.tip !== page.tip) this.core.onLostHistory(state);
      else this.place(state, view, page);
    });
  }

  private place(state: InboxState, view: ListView, page: PageAnswer): void {
    const window = state.windows[view];
    const { floor } = window;
    const current = window.asked === floor;
    window.asked = null;
    const { rows } = this.core;
    // Rows evicted since may have been newer than the page's, or have come into the view.
    const trusted =
      floor === Infinity
        ? page.seq >= rows.evictedRev(state.id)
        : page.rows.every((row) => rows.trusts(row.id, page.seq));
    if (current && trusted) {
      window.lower(page.next === null || page.next === "" ? -Infinity : Number(page.next));
      for (const row of page.rows) {
        if (!this.core.put(row, page.seq)) this.core.changed(row.id);
      }
      // Rows that came into the view after the page was read stand nowhere yet.
      const others = floor === Infinity ? rows.of(state.id) : this.unconfirmed(state);
      for (const conv of others) this.core.changed(conv);
      for (const list of state.lists[view]) list.restructured();
    }
    this.fill(state, view);
    this.core.counted(state);
  }

  /** What no page can know: my acts on their way, and rows that answers brought ahead of events. */
  private unconfirmed(state: InboxState): string[] {
    const acts = [...this.core.pending.conversations()];
    return [...acts.filter((conv) => inboxOf(conv) === state.id), ...state.aheadOf()];
  }
}
