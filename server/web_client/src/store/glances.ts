/** My looks at conversations that no marks of the server have confirmed yet. */
import type { Row } from "../wire";
import type { Core } from "./core";
import type { InboxState } from "./inbox";
import { inboxOf } from "./rows";
import { viewOf, type Glance } from "./view";

/** For so long a look of mine goes before marks that may have been made before it. */
const GLANCE_MS = 5000;

type Kind = "read" | "unread";

interface Glanced {
  readonly att: string;
  readonly kind: Kind;
}

export class Glances {
  private readonly glances = new Map<string, Glanced>();

  constructor(private readonly core: Core) {}

  /** What goes before the marks of a row as it is shown. */
  of(shown: Row): Glance {
    const glance = this.glances.get(shown.id);
    return glance !== undefined && glance.att === shown.att ? glance.kind : "";
  }

  /** Say at once what the server's marks will say. */
  at(conv: string, att: string, kind: Kind): void {
    const glance = { att, kind };
    this.glances.set(conv, glance);
    this.core.views.refresh(conv);
    this.core.out.later(GLANCE_MS, () => {
      if (this.glances.get(conv) === glance) this.core.step(() => this.drop(conv));
    });
  }

  drop(conv: string): void {
    if (this.glances.delete(conv)) this.core.views.refresh(conv);
  }

  /** Something newer than "mark unread" has been said of it. */
  superseded(conv: string): void {
    if (this.glances.get(conv)?.kind === "unread") this.glances.delete(conv);
  }

  /** Forget looks that no marks have confirmed, of one inbox or of all. */
  forget(inbox?: string): void {
    for (const conv of [...this.glances.keys()]) {
      if (inbox === undefined || inboxOf(conv) === inbox) this.drop(conv);
    }
  }

  /** Its row is not known any more. */
  evicted(conv: string): void {
    this.glances.delete(conv);
  }

  /** Marks of the inbox came into force: looks they agree with have served. */
  marked(state: InboxState): void {
    for (const [conv, glance] of this.glances) {
      if (inboxOf(conv) !== state.id) continue;
      const row = this.core.rows.get(conv);
      if (row === undefined || row.att !== glance.att || this.agrees(state, row, glance.kind)) {
        this.glances.delete(conv);
      }
    }
  }

  private agrees({ marks }: InboxState, row: Row, kind: Kind): boolean {
    const place = viewOf(row, this.core.userId);
    const unread = place === "mine" ? marks.green(row.id) : place === "unassigned" && marks.blue(row.id);
    return unread === (kind === "unread");
  }
}
