/** Telling the store while a person has something before their eyes. */
import { effect, signal } from "@preact/signals";
import { useLayoutEffect } from "preact/hooks";
import type { Store } from "../contract";
import { visible } from "./screen";

/** So long somebody has to look before it counts as read: stepping through a list does not. */
const LOOK_MS = 350;

/** `there` says, subscribing to it, whether what is opened can be read; at every change it is read again. */
export function useLooking(store: Store, id: string, there: () => boolean): void {
  // In the step that draws it: an effect would not run, nor be cleaned up, where it is closed before the next paint.
  useLayoutEffect(() => {
    const settled = signal(false);
    const timer = setTimeout(() => (settled.value = true), LOOK_MS);
    let left = false; // what was about to be looked at when it closed, is not: it may be marked unread
    const look = (): void => {
      if (!left) store.look(id);
    };
    const stop = effect(() => {
      if (there() && settled.value && visible.value) queueMicrotask(look);
    });
    return () => {
      left = true;
      clearTimeout(timer);
      stop();
      store.leave(id);
    };
  }, [store, id]);
}
