/** What every component may ask for. */
import { createContext } from "preact";
import { useContext } from "preact/hooks";
import type { Store } from "../contract";

/** What GET /v1/session says beyond who is signed in. */
export interface Surroundings {
  /** Whether this person may use the phone simulator. */
  readonly simulator: boolean;
  readonly demo: boolean;
  readonly version: string;
}

export interface Shared {
  readonly store: Store;
  readonly about: Surroundings;
}

export const SharedContext = createContext<Shared | null>(null);

export function useShared(): Shared {
  const shared = useContext(SharedContext);
  if (!shared) throw new Error("rendered outside SharedContext");
  return shared;
}

export const useStore = (): Store => useShared().store;

/** Somebody's name; the id of who left. Subscribes to the people. */
export function nameOf(store: Store, id: string): string {
  return store.people.value.get(id)?.name ?? id;
}

export function inboxName(store: Store, id: string): string {
  return store.inboxes.value.find((inbox) => inbox.id === id)?.name ?? id;
}

/** Whether a change can be sent at this moment, and if not, why, in the pill's words. */
export function blocked(store: Store): string {
  const link = store.link.value;
  if (link.state === "live") return "";
  return link.state === "offline"
    ? "You are offline. You can read, not send."
    : "Not connected. You can read, not send.";
}
