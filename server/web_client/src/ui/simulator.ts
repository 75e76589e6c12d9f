/** The loopback carrier's side of the street, over HTTP. */

export interface OurNumber {
  readonly number: string;
  readonly inbox: string;
  readonly name: string;
}

/** A file as the phone got it: by a link that is good for a day. */
export interface PhoneFile {
  readonly id: string;
  readonly type: string;
  readonly size: number;
  readonly name: string;
  readonly url: string;
}

export interface Arrived {
  readonly id: string;
  readonly from: string;
  readonly text: string;
  readonly files: readonly PhoneFile[];
}

interface Bot {
  readonly id: string;
  readonly name: string;
}

export interface Race {
  readonly conv: string;
  readonly winner: Bot | null;
  readonly losers: readonly Bot[];
  readonly ms: number;
}

export class Refused extends Error {}

const TIMEOUT_MS = 15_000;

async function ask<T>(method: "GET" | "POST", path: string, body?: object): Promise<T> {
  const init: RequestInit = { method, signal: AbortSignal.timeout(TIMEOUT_MS), credentials: "same-origin" };
  if (body) {
    init.body = JSON.stringify(body);
    init.headers = { "content-type": "application/json" };
  }
  let answer: Response;
  try {
    answer = await fetch(`/v1/loopback/${path}`, init);
  } catch {
    throw new Refused("The server does not answer. Try again in a moment.");
  }
  const said: unknown = await answer.json().catch(() => null);
  if (answer.ok && said !== null) return said as T;
  throw new Refused((said as { detail?: string } | null)?.detail ?? `The server refused this (${answer.status}).`);
}

export const numbers = (): Promise<readonly OurNumber[]> =>
  ask<{ items: OurNumber[] }>("GET", "numbers").then(({ items }) => items);

export const inbound = (from: string, to: string, text: string, id: string): Promise<object> =>
  ask("POST", "inbound", { from, to, text, id });

export const outbound = (phone: string): Promise<readonly Arrived[]> =>
  ask<{ items: Arrived[] }>("GET", `outbound?to=${encodeURIComponent(phone)}`).then(({ items }) => items);

export const race = (from: string, to: string, text: string): Promise<Race> => ask("POST", "race", { from, to, text });

export function raceWords({ winner, losers, ms }: Race): string {
  if (!winner) return "Nobody got the conversation: somebody else has it already.";
  const others = losers.map(({ name }) => name).join(", ");
  return `${winner.name} took the conversation after ${Math.round(ms)} ms. ${losers.length} came too late and were told who has it: ${others}.`;
}
