/** What an admin does to a conversation or a room as a record: the same in every menu. */
import type { Store } from "../contract";
import type { Choice } from "./acts";
import { openDialog } from "./dialog_state";

export function keeping(store: Store, conv: string): readonly Choice[] {
  if (store.me.value?.role !== "admin") return [];
  return [
    { id: "export", label: "Export…", hint: "", run: () => openDialog({ kind: "export", conv }) },
    { id: "hold", label: "Legal hold…", hint: "", run: () => openDialog({ kind: "hold", conv }) },
  ];
}
