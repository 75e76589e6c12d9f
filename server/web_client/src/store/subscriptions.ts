/** Which inboxes are followed event by event. */

/** Inboxes an admin looks into without having joined them, that stay subscribed. */
const SHOWN_MAX = 8;

/** All joined ones, and those shown last; when there are too many, the shown ones go first. */
export class Subscriptions {
  max = 128;
  /** All conversations are wanted, those of inboxes an admin did not join with them. */
  everything = false;
  private shown: string[] = [];

  /** An inbox is on the screen; true when that is news. */
  show(inbox: string): boolean {
    const known = this.shown.includes(inbox);
    this.shown = [inbox, ...this.shown.filter((other) => other !== inbox)].slice(0, SHOWN_MAX);
    return !known;
  }

  /** What to follow of the inboxes that are there. */
  wanted(present: ReadonlySet<string>, joined: readonly string[]): string[] {
    const shown = this.shown.filter((inbox) => present.has(inbox));
    const wanted = new Set([...shown, ...joined, ...(this.everything ? present : [])]);
    return [...wanted].slice(0, this.max);
  }
}
