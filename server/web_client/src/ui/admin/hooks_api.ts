/** Webhooks over HTTP. */
import { ask, items, page, type Page } from "./api";
import type { Delivery, Hook, HookEvent } from "./hook_words";

const ALL = "/v1/admin/webhooks";
const of = (hook: string): string => `${ALL}/${encodeURIComponent(hook)}`;

export interface HookChange {
  readonly url?: string;
  readonly label?: string;
  readonly events?: readonly string[];
  readonly inboxes?: readonly string[];
  readonly active?: boolean;
}

export const hooks = (): Promise<readonly Hook[]> => items<Hook>(ALL);
export const hookEvents = (): Promise<readonly HookEvent[]> => items<HookEvent>(`${ALL}/events`);
export const addHook = (hook: HookChange): Promise<Hook & { readonly secret: string }> => ask("POST", ALL, hook);
export const changeHook = (hook: string, change: HookChange): Promise<Hook> => ask("PATCH", of(hook), change);
export const deleteHook = (hook: string): Promise<void> => ask("DELETE", of(hook));
export const rotateSecret = (hook: string): Promise<{ readonly secret: string }> => ask("POST", `${of(hook)}/secret`);
export const testHook = (hook: string): Promise<Delivery> => ask("POST", `${of(hook)}/test`);

export const deliveries = (hook: string, state: string, cursor = ""): Promise<Page<Delivery>> =>
  page<Delivery>(`${of(hook)}/deliveries`, { state, cursor });

export const resend = (hook: string, delivery: string): Promise<Delivery> =>
  ask("POST", `${of(hook)}/deliveries/${encodeURIComponent(delivery)}/resend`);
