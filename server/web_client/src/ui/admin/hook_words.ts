/** Webhooks and their deliveries in words. */

export interface Hook {
  readonly id: string;
  readonly url: string;
  readonly label: string;
  /** [] for all. */
  readonly events: readonly string[];
  readonly inboxes: readonly string[];
  readonly active: boolean;
  readonly created_at: string;
  readonly failing_since: string | null;
  readonly last_delivery_at: string | null;
}

export interface HookEvent {
  readonly name: string;
  readonly says: string;
}

export interface Delivery {
  readonly id: string;
  readonly event: string;
  readonly at: string;
  readonly attempts: number;
  readonly state: "delivered" | "failed" | "retrying";
  /** The receiver's HTTP status; null when none came. */
  readonly status: number | null;
  readonly duration_ms: number | null;
  readonly error: string;
  readonly inbox: string | null;
  readonly conv: string | null;
}

export type HookState = "active" | "failing" | "off";

export function hookState(hook: Hook): HookState {
  if (!hook.active) return "off";
  return hook.failing_since === null ? "active" : "failing";
}

/** What people call it: its label, else where it goes. */
export function hookName(hook: Pick<Hook, "label" | "url">): string {
  if (hook.label) return hook.label;
  try {
    return new URL(hook.url).host;
  } catch {
    return hook.url;
  }
}

/** "All events", "2 of 9 events: …" */
export function eventsWords(events: readonly string[]): string {
  if (!events.length) return "All events";
  return events.length <= 2 ? events.join(", ") : `${events.slice(0, 2).join(", ")} +${events.length - 2}`;
}

/** "Delivered: 200 in 12 ms", "No answer: connection refused" */
export function deliveryWords({ state, status, duration_ms, error }: Delivery): string {
  const took = duration_ms === null ? "" : ` in ${Math.round(duration_ms)} ms`;
  const answer = status === null ? (error ? `No answer: ${error}` : "No answer") : `Answered ${status}${took}`;
  if (state === "delivered") return answer;
  return status !== null && error ? `${answer}: ${error}` : answer;
}

/** Why this cannot be a webhook's address; "" when it can. */
export function addressProblem(url: string): string {
  const text = url.trim();
  if (!text) return "Write the address that events go to.";
  if (!URL.canParse(text) || !/^https?:$/.test(new URL(text).protocol)) return "Write the whole address, beginning with https://.";
  return "";
}
