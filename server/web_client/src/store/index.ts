/** The store: what the page knows. */
import { Client, type ClosableStore } from "./client";
import { browser, type Environment } from "./environment";

export interface StoreOptions {
  /** Instead of the browser's own, piece by piece. */
  readonly environment?: Partial<Environment>;
}

/** Connects at once, by the session's cookie. */
export function createStore(options: StoreOptions = {}): ClosableStore {
  return new Client({ ...browser(), ...options.environment }).store();
}
