/** A list to choose one thing from, by pointer or by arrows. */
import type { Signal } from "@preact/signals";
import type { JSX } from "preact";
import type { Presence } from "../contract";
import { PresenceDot } from "./presence";

interface Option {
  readonly id: string;
  readonly label: string;
  /** "": nobody who is there or not. */
  readonly presence: Presence | "";
}

export function ListBox({ label, options, chosen }: { label: string; options: readonly Option[]; chosen: Signal<string> }): JSX.Element {
  const keys = (event: KeyboardEvent): void => {
    const now = options.findIndex(({ id }) => id === chosen.peek());
    const to: Record<string, number> = { ArrowDown: now + 1, ArrowUp: now < 0 ? options.length - 1 : now - 1, Home: 0, End: options.length - 1 };
    const next = to[event.key];
    if (next === undefined) return;
    event.preventDefault();
    chosen.value = options[Math.min(options.length - 1, Math.max(0, next))]?.id ?? "";
    const element = event.currentTarget as HTMLElement;
    requestAnimationFrame(() => element.querySelector("[aria-selected=true]")?.scrollIntoView({ block: "nearest" }));
  };
  return (
    <div
      class="list-box"
      role="listbox"
      aria-label={label}
      tabIndex={0}
      data-first
      aria-activedescendant={chosen.value ? `option-${chosen.value}` : undefined}
      onKeyDown={keys}
    >
      {options.map(({ id, label: text, presence }) => (
        <div key={id} id={`option-${id}`} role="option" aria-selected={chosen.value === id} onClick={() => (chosen.value = id)}>
          <span>{text}</span>
          {presence ? (
            <span class="option-aside">
              <PresenceDot state={presence} words="" />
              {presence}
            </span>
          ) : null}
        </div>
      ))}
    </div>
  );
}
