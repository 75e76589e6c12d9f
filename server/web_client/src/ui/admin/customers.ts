/** Whose conversation it is, for lists that know only ids. */
import { signal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { customerName, useStore } from "../context";
import { ask } from "./api";

const KEPT_MAX = 2_000;

/** Customers by conversation; "" where it could not be learnt. */
const known = signal<ReadonlyMap<string, string>>(new Map());

function keep(conv: string, customer: string): void {
  const next = new Map(known.peek()).set(conv, customer);
  for (const old of next.keys()) {
    if (next.size <= KEPT_MAX) break;
    next.delete(old);
  }
  known.value = next;
}

/** One after the other: a page of the log names few conversations, and nobody waits for them. */
async function learn(convs: readonly string[], ended: () => boolean): Promise<void> {
  for (const conv of convs) {
    if (ended()) return;
    if (known.peek().has(conv)) continue;
    const path = `/v1/conversations/${encodeURIComponent(conv)}`;
    keep(conv, await ask<{ customer: string }>("GET", path).then(({ customer }) => customer, () => ""));
  }
}

/** The customer of one of these, by name or number; "a conversation" until it is known. */
export function useCustomers(convs: readonly (string | null)[]): (conv: string) => string {
  const wanted = [...new Set(convs.filter((conv) => conv !== null))];
  useEffect(() => {
    let ended = false;
    void learn(wanted, () => ended);
    return () => {
      ended = true;
    };
  }, [wanted.join(" ")]);
  const store = useStore();
  const now = known.value;
  return (conv) => {
    const customer = now.get(conv);
    return customer ? customerName(store, customer) : "a conversation";
  };
}
