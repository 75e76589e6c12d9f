/** Short messages at the edge of the page. Errors stay until somebody closes them. */
import { signal } from "@preact/signals";

export interface Toast {
  readonly id: number;
  readonly text: string;
  readonly tone: "plain" | "error" | "lasting";
  readonly action?: { readonly label: string; readonly run: () => void };
}

const MOST = 4;
const PLAIN_MS = 7_000;
const WITH_ACTION_MS = 10_000;

export const toasts = signal<readonly Toast[]>([]);

let last = 0;
const ends = new Map<number, { timer: ReturnType<typeof setTimeout>; ms: number }>();

export function dismiss(id: number): void {
  clearTimeout(ends.get(id)?.timer);
  ends.delete(id);
  toasts.value = toasts.peek().filter((toast) => toast.id !== id);
}

function endIn(id: number, ms: number): void {
  ends.set(id, { timer: setTimeout(() => dismiss(id), ms), ms });
}

export function say(text: string, options: Partial<Pick<Toast, "tone" | "action">> & { ms?: number } = {}): void {
  const { tone = "plain", action, ms } = options;
  const same = toasts.peek().find((toast) => toast.text === text);
  if (same) dismiss(same.id);
  last += 1;
  const toast: Toast = action ? { id: last, text, tone, action } : { id: last, text, tone };
  const kept = toasts.peek();
  const shown = kept.length < MOST ? kept : kept.filter((_, at) => at !== Math.max(0, kept.findIndex((t) => t.tone === "plain")));
  toasts.value = [...shown, toast];
  if (tone === "plain") endIn(toast.id, ms ?? (action ? WITH_ACTION_MS : PLAIN_MS));
}

export const complain = (text: string): void => say(text, { tone: "error" });

/** While somebody points at them, nothing disappears. */
export function holdToasts(): void {
  for (const { timer } of ends.values()) clearTimeout(timer);
}

export function releaseToasts(): void {
  for (const [id, { timer, ms }] of ends) {
    clearTimeout(timer);
    endIn(id, ms);
  }
}
