/** Carrier accounts over HTTP. */
import { ask, items } from "./api";
import type { CarrierAccount } from "./carrier_words";

const ALL = "/v1/admin/carriers";
const of = (account: string): string => `${ALL}/${encodeURIComponent(account)}`;

export interface AccountChange {
  readonly name?: string;
  readonly config?: Readonly<Record<string, unknown>>;
  readonly rate_per_s?: number;
  /** Written only: no answer has it. */
  readonly secret?: string;
  readonly secret_file?: string;
}

export interface NewAccount extends AccountChange {
  readonly id: string;
  readonly kind: string;
}

export interface Checked {
  readonly ok: boolean;
  /** Why not, in the carrier's words or ours. */
  readonly says: string;
}

export const accounts = (): Promise<readonly CarrierAccount[]> => items<CarrierAccount>(ALL);
export const addAccount = (account: NewAccount): Promise<CarrierAccount> => ask("POST", ALL, account);
export const changeAccount = (account: string, change: AccountChange): Promise<CarrierAccount> => ask("PATCH", of(account), change);
export const deleteAccount = (account: string): Promise<void> => ask("DELETE", of(account));
export const checkAccount = (account: string): Promise<Checked> => ask("POST", `${of(account)}/check`);
