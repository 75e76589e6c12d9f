/** Colleagues from moment to moment: who is there, and who looks at what I look at. */
import { computed, signal, type ReadonlySignal } from "@preact/signals";
import type { Person, Presence } from "../contract";
import type { PresenceFrame, TypingFrame } from "../wire";

type Who = ReadonlyMap<string, "viewing" | "typing">;

const NOBODY: Who = new Map();

export class Others {
  readonly presence = signal<ReadonlyMap<string, Presence>>(new Map());
  /** The conversation I look at, "" for none. */
  readonly looking = signal<{ readonly conv: string; readonly who: Who }>({ conv: "", who: NOBODY });
  /** What I asked to be and the organisation does not say yet. */
  readonly wish = signal<Person["away"] | null>(null);
  private whole = true;

  /** A new connection: the first word on it is of everybody. */
  opening(): void {
    this.whole = true;
    this.lost();
  }

  /** Nobody is heard of: whoever looked may have gone. */
  lost(): void {
    this.look(this.looking.peek().conv);
  }

  /** I look at this conversation, and know of nobody else yet. */
  look(conv: string): void {
    this.looking.value = { conv, who: NOBODY };
  }

  present([, states]: PresenceFrame): void {
    const known = new Map(this.whole ? [] : this.presence.peek());
    this.whole = false;
    for (const [user, state] of Object.entries(states)) {
      if (state === "offline") known.delete(user);
      else known.set(user, state);
    }
    this.presence.value = known;
  }

  watch([, conv, who]: TypingFrame): void {
    if (this.looking.peek().conv === conv) this.looking.value = { conv, who: new Map(Object.entries(who)) };
  }

  watchers(conv: string): ReadonlySignal<Who> {
    const { looking } = this;
    return computed(() => (looking.value.conv === conv ? looking.value.who : NOBODY));
  }
}
