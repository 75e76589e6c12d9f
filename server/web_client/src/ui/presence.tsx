/** Whether somebody is there: by shape and by word, never by colour alone. */
import type { JSX } from "preact";
import type { Presence, Store } from "../contract";
import { Hidden } from "./bits";
import { Icon } from "./icons";

/** "" where nobody asks: a bot works without a connection, and who left is not there at all. */
export function presenceOf(store: Store, id: string): Presence | "" {
  const person = store.people.value.get(id);
  const known = store.presence.value.get(id);
  if (!person?.active) return "";
  if (person.bot) return known === "away" ? "away" : "";
  return known ?? "offline";
}

/** Filled: online; half: away; hollow: offline. Without words where they stand beside it. */
export function PresenceDot({ state, words = state }: { state: Presence; words?: string }): JSX.Element {
  return (
    <span class={`presence presence-${state}`} data-presence={state} title={words || undefined}>
      <Icon small>
        <circle cx="10" cy="10" r="6" fill={state === "online" ? "currentColor" : "none"} />
        {state === "away" ? <path d="M10 4a6 6 0 010 12z" fill="currentColor" /> : null}
      </Icon>
      {words ? <Hidden>{` ${words}`}</Hidden> : null}
    </span>
  );
}
