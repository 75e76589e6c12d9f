/** A button that opens a menu: arrows move in it, Escape and a press elsewhere close it. */
import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { useEffect, useRef } from "preact/hooks";
import type { Choice } from "./acts";
import { Key } from "./bits";
import { shortcuts } from "./prefs";
import { MoreIcon } from "./more_icons";

export function Menu({ label, choices }: { label: string; choices: readonly Choice[] }): JSX.Element {
  const open = useSignal(false);
  const root = useRef<HTMLDivElement>(null);
  const button = useRef<HTMLButtonElement>(null);

  const items = (): HTMLElement[] => [...(root.current?.querySelectorAll<HTMLElement>("[role=menuitem]") ?? [])];

  useEffect(() => {
    if (!open.value) return;
    items()[0]?.focus();
    const elsewhere = (event: PointerEvent): void => {
      if (!root.current?.contains(event.target as Node)) open.value = false;
    };
    document.addEventListener("pointerdown", elsewhere);
    return () => document.removeEventListener("pointerdown", elsewhere);
  }, [open.value]);

  const close = (): void => {
    open.value = false;
    button.current?.focus();
  };

  const keys = (event: KeyboardEvent): void => {
    if (!open.peek()) return;
    event.stopPropagation();
    const all = items();
    const now = all.indexOf(document.activeElement as HTMLElement);
    const to: Record<string, number> = { ArrowDown: now + 1, ArrowUp: now - 1, Home: 0, End: -1 };
    if (event.key === "Escape" || event.key === "Tab") {
      if (event.key === "Escape") event.preventDefault();
      close();
    } else if (event.key in to) {
      event.preventDefault();
      all.at((to[event.key] as number) % all.length)?.focus();
    } else if (event.key.length === 1) {
      const start = event.key.toLowerCase();
      const ahead = [...all.slice(now + 1), ...all.slice(0, now + 1)];
      ahead.find((item) => item.textContent?.toLowerCase().startsWith(start))?.focus();
    }
  };

  return (
    <div class="menu-root" ref={root} onKeyDown={keys}>
      <button
        type="button"
        class="icon-button"
        ref={button}
        aria-label={label}
        title={label}
        aria-haspopup="menu"
        aria-expanded={open.value}
        onClick={() => (open.value = !open.value)}
        onKeyDown={(event) => {
          if (event.key !== "ArrowDown" || open.peek()) return;
          event.preventDefault();
          open.value = true;
        }}
      >
        <MoreIcon />
      </button>
      {open.value ? (
        <div class="menu floating" role="menu" aria-label={label}>
          {choices.map(({ id, label: text, hint, run }) => (
            <button
              key={id}
              type="button"
              role="menuitem"
              tabIndex={-1}
              onClick={() => {
                close();
                run();
              }}
            >
              <span>{text}</span>
              {hint && shortcuts.value ? <Key>{hint}</Key> : null}
            </button>
          ))}
        </div>
      ) : null}
    </div>
  );
}
