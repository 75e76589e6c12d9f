/** Which dialog is open; at most one. */
import { signal } from "@preact/signals";

/** About rooms: shown by a part of its own. */
export type RoomDialog =
  | { readonly kind: "new_message" | "browse_channels" | "create_channel" }
  | { readonly kind: "rename_room" | "archive_room" | "leave_room"; readonly room: string }
  | { readonly kind: "delete_post"; readonly room: string; readonly n: number }
  | { readonly kind: "post_versions"; readonly room: string; readonly n: number; readonly gone: boolean }
  | { readonly kind: "remove_member"; readonly room: string; readonly user: string };

export type DialogState =
  | { readonly kind: "transfer"; readonly conv: string }
  | { readonly kind: "dispatch"; readonly conv: string }
  | { readonly kind: "takeover"; readonly conv: string }
  | { readonly kind: "snooze"; readonly conv: string }
  | { readonly kind: "availability" }
  | { readonly kind: "about"; readonly inbox: string }
  | { readonly kind: "compose"; readonly to?: string }
  | RoomDialog
  | { readonly kind: "export" | "hold"; readonly conv: string }
  | { readonly kind: "contact"; readonly number: string }
  | { readonly kind: "shortcuts" }
  | { readonly kind: "palette" };

export const dialog = signal<DialogState | null>(null);

/** What was typed for the palette while its part of the page was still to come. */
let ahead = "";

export function typeAhead(letter: string): void {
  ahead += letter;
}

export const typedAhead = (): string => ahead;

export function openDialog(state: DialogState): void {
  ahead = "";
  dialog.value = state;
}

export function closeDialog(): void {
  dialog.value = null;
}
