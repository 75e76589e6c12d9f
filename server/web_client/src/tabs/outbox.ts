/** Unanswered replies, written down so that a reload does not lose them. */
import type { Outbox, OutboxItem } from "../store/replies";
import { Shelf, type StorageLike } from "./storage";

interface Kept extends OutboxItem {
  /** The tab that sends it while it lives. */
  readonly tab: string;
}

export class KeptOutbox implements Outbox {
  private readonly shelf: Shelf<Kept>;

  constructor(
    storage: StorageLike | null,
    user: string,
    private readonly tab: string,
  ) {
    this.shelf = new Shelf<Kept>(storage, `batonbox.outbox.${user}.`);
  }

  put(item: OutboxItem): void {
    this.shelf.set(item.cid, { ...item, tab: this.tab });
  }

  remove(cid: string): void {
    this.shelf.remove(cid);
  }

  get empty(): boolean {
    return this.shelf.all().length === 0;
  }

  /** Take over what tabs that are gone have left, oldest first. */
  orphans(living: ReadonlySet<string>): OutboxItem[] {
    const found: OutboxItem[] = [];
    for (const [, { tab, ...item }] of this.shelf.all()) {
      if (living.has(tab)) continue;
      const whole = { ...item, media: item.media ?? [] }; // written before there were any
      found.push(whole);
      this.put(whole);
    }
    return found.sort((a, b) => a.atMs - b.atMs);
  }

  clear(): void {
    this.shelf.clear();
  }
}
