/** Which dialog is open; at most one. */
import { signal } from "@preact/signals";

export type DialogState =
  | { readonly kind: "transfer"; readonly conv: string }
  | { readonly kind: "dispatch"; readonly conv: string }
  | { readonly kind: "takeover"; readonly conv: string }
  | { readonly kind: "snooze"; readonly conv: string }
  | { readonly kind: "availability" }
  | { readonly kind: "about"; readonly inbox: string }
  | { readonly kind: "compose" }
  | { readonly kind: "shortcuts" }
  | { readonly kind: "palette" };

export const dialog = signal<DialogState | null>(null);

export function openDialog(state: DialogState): void {
  dialog.value = state;
}

export function closeDialog(): void {
  dialog.value = null;
}
