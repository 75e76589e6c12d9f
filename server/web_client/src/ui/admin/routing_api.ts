/** Inboxes, numbers and kept messages over HTTP. */
import { ask, items } from "./api";
import type { Live } from "./live_words";
import type { AdminInbox, Checked, Destination, Kept, PhoneNumber } from "./routing_words";
import type { Rules } from "./rules_words";

export interface InboxFields {
  readonly name?: string;
  readonly kind?: Destination;
  readonly extension?: string;
  readonly members?: readonly string[];
  /** Those to be changed. */
  readonly options?: Partial<Rules>;
}

/** A carrier's account, as far as its numbers are concerned. */
export interface Named {
  readonly id: string;
  readonly name: string;
}

export interface NumberFields {
  readonly carrier?: string;
  readonly messaging?: boolean;
  /** null: delivers nowhere. */
  readonly inbox?: string | null;
}

export interface Teammate {
  readonly id: string;
  readonly name: string;
  readonly active: boolean;
  readonly bot: boolean;
}

export interface Routed {
  readonly inbox: string;
  readonly delivered: number;
  readonly left: number;
}

const inboxAt = (id: string): string => `/v1/admin/inboxes/${encodeURIComponent(id)}`;
const numberAt = (number: string): string => `/v1/admin/numbers/${encodeURIComponent(number)}`;

export const inboxes = (): Promise<readonly AdminInbox[]> => items<AdminInbox>("/v1/admin/inboxes");
export const addInbox = (fields: InboxFields): Promise<AdminInbox> => ask("POST", "/v1/admin/inboxes", fields);
export const changeInbox = (id: string, fields: InboxFields): Promise<AdminInbox> => ask("PATCH", inboxAt(id), fields);
export const deleteInbox = (id: string): Promise<void> => ask("DELETE", inboxAt(id));

export const team = (): Promise<readonly Teammate[]> => items<Teammate>("/v1/admin/users");
export const liveView = (): Promise<Live> => ask("GET", "/v1/admin/live");

export const numbers = (): Promise<readonly PhoneNumber[]> => items<PhoneNumber>("/v1/admin/numbers");
export const putNumber = (number: string, fields: NumberFields): Promise<PhoneNumber> => ask("PUT", numberAt(number), fields);
export const changeNumber = (number: string, fields: NumberFields): Promise<PhoneNumber> => ask("PATCH", numberAt(number), fields);
export const deleteNumber = (number: string): Promise<void> => ask("DELETE", numberAt(number));

export const carriers = (): Promise<readonly Named[]> => items<Named>("/v1/admin/carriers");

/** With `send` a test message goes through, and stays in the inbox. */
export const checkNumber = (number: string, send: boolean): Promise<Checked> => ask("POST", `${numberAt(number)}/check`, { send });

export const kept = (): Promise<readonly Kept[]> => items<Kept>("/v1/admin/unrouted");
export const routeKept = (number: string, inbox: string | null): Promise<Routed> => ask("POST", "/v1/admin/unrouted/route", { number, inbox });
export const discardKept = (number: string): Promise<void> => ask("DELETE", `/v1/admin/unrouted/${encodeURIComponent(number)}`);
