/** Keys that work anywhere on the page, except where somebody writes and while a dialog is open. */
import { dialog, openDialog, typeAhead } from "./dialog_state";
import { focusComes, places } from "./places";
import { shortcuts } from "./prefs";
import { opens, route } from "./route";

function writing(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && (target.isContentEditable || target.closest("input,textarea,select,[role=menu],[role=listbox]") !== null);
}

/** So long after the last letter one goes on writing, though the field has gone: somebody else took the conversation. */
const ADRIFT_MS = 1000;
/** Who presses these has done writing. */
const LEAVES: ReadonlySet<string> = new Set(["Escape", "Tab", "Enter"]);

/** Follows what is written where, to tell letters of a text from commands. */
class Writing {
  private lastMs = -Infinity;

  /** Whether this key is part of a text, or would be if its field were there still, or already. */
  takes({ target, key, timeStamp }: KeyboardEvent): boolean {
    const inField = writing(target);
    const adrift = document.activeElement === document.body && timeStamp - this.lastMs < ADRIFT_MS;
    const takes = inField || adrift || focusComes();
    if (LEAVES.has(key)) this.lastMs = -Infinity;
    else if (takes && key.length === 1) this.lastMs = timeStamp;
    return takes;
  }
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
  const text = new Writing();
  const pressed = (event: KeyboardEvent): void => {
    const taken = text.takes(event);
    if (event.defaultPrevented || event.isComposing) return;
    if ((event.ctrlKey || event.metaKey) && !event.altKey && event.key.toLowerCase() === "k") {
      event.preventDefault();
      if (!dialog.peek()) openDialog({ kind: "palette" });
      return;
    }
    const modified = event.ctrlKey || event.metaKey || event.altKey;
    if (dialog.peek()?.kind === "palette" && !taken && !modified && event.key.length === 1) {
      event.preventDefault();
      typeAhead(event.key);
      return;
    }
    if (taken || modified || event.repeat && !"jk".includes(event.key) || !shortcuts.peek() || dialog.peek()) return;
    const run = single(event.key.toLowerCase());
    if (!run) return;
    event.preventDefault();
    run();
  };
  document.addEventListener("keydown", pressed);
  return () => document.removeEventListener("keydown", pressed);
}
