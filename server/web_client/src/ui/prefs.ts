/** What this person prefers on this device; all their tabs agree. */
import { effect, signal, type Signal } from "@preact/signals";

export type Theme = "system" | "light" | "dark";

const PREFIX = "batonbox.pref.";

function read<T>(name: string, fallback: T): T {
  try {
    const kept = localStorage.getItem(PREFIX + name);
    const value: unknown = kept === null ? fallback : JSON.parse(kept);
    return typeof value === typeof fallback ? (value as T) : fallback;
  } catch {
    return fallback; // storage may be closed to us
  }
}

const known = new Map<string, () => void>();

function pref<T>(name: string, fallback: T): Signal<T> {
  const kept = signal(read(name, fallback));
  let first = true;
  effect(() => {
    const value = JSON.stringify(kept.value);
    if (first) {
      first = false;
      return;
    }
    try {
      localStorage.setItem(PREFIX + name, value);
    } catch {
      return; // it holds for this visit then
    }
  });
  known.set(PREFIX + name, () => {
    kept.value = read(name, fallback);
  });
  return kept;
}

export const theme = pref<Theme>("theme", "system");
export const sound = pref("sound", false);
export const notifications = pref("notifications", false);
/** Whether a notification shows the message's beginning. */
export const preview = pref("preview", false);
export const shortcuts = pref("shortcuts", true);
/** Enter sends and Shift+Enter breaks the line; off: only Ctrl+Enter sends. */
export const enterSends = pref("enterSends", true);
/** Width of the list pane in rem. */
export const listWidth = pref("listWidth", 22.5);
/** Collapsed sections, by name. */
export const collapsed = pref("collapsed", "");

export function startPrefs(): void {
  addEventListener("storage", (event) => {
    if (event.key) known.get(event.key)?.();
  });
  effect(() => {
    document.documentElement.dataset["theme"] = theme.value;
  });
}
