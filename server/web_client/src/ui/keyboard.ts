/** Keys that work anywhere on the page, except where somebody writes and while a dialog is open. */
import { dialog, openDialog } from "./dialog_state";
import { places } from "./places";
import { shortcuts } from "./prefs";
import { opens, route } from "./route";

function writing(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && (target.isContentEditable || target.closest("input,textarea,select,[role=menu],[role=listbox]") !== null);
}

const BY_KEY: Readonly<Record<string, string>> = { a: "assign", t: "transfer", u: "return", e: "done", z: "snooze" };

function single(key: string): (() => void) | undefined {
  if (key === "?") return () => openDialog({ kind: "shortcuts" });
  const { page, conv } = route.peek();
  if (key === "/" && page !== "inboxes") return () => (places.search ? places.search.focus() : openDialog({ kind: "palette" }));
  if (!opens(page)) return undefined;
  if (key === "/") return () => places.filter?.focus();
  if (key === "j" || key === "k") return () => places.step?.(key === "j" ? 1 : -1);
  if (!conv) return undefined;
  if (key === "r" && !places.write) return () => places.composer?.focus(); // a room's
  if (key === "r" || key === "n") return () => places.write?.(key === "r" ? "reply" : "note");
  const act = BY_KEY[key];
  return act ? () => places.act?.(act) : undefined;
}

export function startKeyboard(): () => void {
  const pressed = (event: KeyboardEvent): void => {
    if (event.defaultPrevented || event.isComposing) return;
    if ((event.ctrlKey || event.metaKey) && !event.altKey && event.key.toLowerCase() === "k") {
      event.preventDefault();
      if (!dialog.peek()) openDialog({ kind: "palette" });
      return;
    }
    const modified = event.ctrlKey || event.metaKey || event.altKey;
    if (modified || event.repeat && !"jk".includes(event.key) || !shortcuts.peek() || dialog.peek() || writing(event.target)) return;
    const run = single(event.key.toLowerCase());
    if (!run) return;
    event.preventDefault();
    run();
  };
  document.addEventListener("keydown", pressed);
  return () => document.removeEventListener("keydown", pressed);
}
