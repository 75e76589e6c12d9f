/** What every component may ask for. */
import { createContext } from "preact";
import { useContext } from "preact/hooks";
import type { Store } from "../contract";
import { phoneNumber } from "./format";

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

/** A customer as people call them: by the contact's name, else by the number. Subscribes to the name. */
export const customerName = (store: Store, number: string): string => store.contact(number).value?.name ?? phoneNumber(number);

/** The same, for what is said once. */
export const customerNow = (store: Store, number: string): string => store.contact(number).peek()?.name ?? phoneNumber(number);

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
