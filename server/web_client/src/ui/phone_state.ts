/** The simulated phones of this tab, and what was said on each. */
import { signal } from "@preact/signals";
import { inbound, outbound, Refused, type PhoneFile } from "./simulator";

export interface Text {
  readonly key: string;
  /** From the phone's owner, or from us. */
  readonly mine: boolean;
  readonly other: string;
  readonly text: string;
  readonly media?: readonly PhoneFile[];
  readonly state: "sending" | "sent" | "failed" | "arrived";
}

const KEY = "batonbox.phones";
const PHONES_MAX = 30;
const TEXTS_MAX = 300;
const BURST = 20;

interface Kept {
  readonly phones: readonly string[];
  readonly texts: Readonly<Record<string, readonly Text[]>>;
}

function restored(): Kept {
  const fresh: Kept = { phones: ["+14165550142", "+19055550117", "+16475550188"], texts: {} };
  try {
    return (JSON.parse(sessionStorage.getItem(KEY) ?? "null") as Kept | null) ?? fresh;
  } catch {
    return fresh;
  }
}

const kept = restored();
export const phones = signal(kept.phones);
export const phone = signal(kept.phones[0] ?? "");
export const to = signal("");
export const texts = signal(kept.texts);
export const problem = signal("");

function keep(): void {
  try {
    sessionStorage.setItem(KEY, JSON.stringify({ phones: phones.peek(), texts: texts.peek() }));
  } catch {
    return; // they last until the page is left, then
  }
}

function change(of: string, edit: (before: readonly Text[]) => readonly Text[]): void {
  texts.value = { ...texts.peek(), [of]: edit(texts.peek()[of] ?? []).slice(-TEXTS_MAX) };
  keep();
}

/** A phone nobody has used yet, chosen. */
export function addPhone(): string {
  const number = `+1${[416, 647, 905][Math.floor(Math.random() * 3)]}555${String(Math.floor(Math.random() * 10_000)).padStart(4, "0")}`;
  if (phones.peek().includes(number)) return addPhone();
  phones.value = [...phones.peek(), number].slice(-PHONES_MAX);
  phone.value = number;
  keep();
  return number;
}

export function complainOf(error: unknown): void {
  problem.value = error instanceof Refused ? error.message : String(error);
}

/** Notes that the phone sent a text; the answer's arrival changes its state. */
export function wrote(from: string, other: string, text: string, state: Text["state"]): (state: Text["state"]) => void {
  const key = crypto.randomUUID?.() ?? `${Date.now()}-${Math.random()}`;
  change(from, (all) => [...all, { key, mine: true, other, text, state }]);
  return (next) => change(from, (all) => all.map((item) => (item.key === key ? { ...item, state: next } : item)));
}

export async function sendText(text: string): Promise<boolean> {
  const [from, our] = [phone.peek(), to.peek()];
  const mark = wrote(from, our, text, "sending");
  problem.value = "";
  try {
    await inbound(from, our, text, `web-${Date.now()}-${Math.random().toString(36).slice(2)}`);
    mark("sent");
    return true;
  } catch (error) {
    mark("failed");
    complainOf(error);
    return false;
  }
}

/** One after the other, so that they arrive in this order. */
export async function burst(): Promise<void> {
  for (let n = 1; n <= BURST; n += 1) {
    if (!(await sendText(`Text ${n} of ${BURST}`))) return;
  }
}

/** Takes in what came to the phone since. */
export async function receive(of: string): Promise<void> {
  const arrived = await outbound(of);
  const have = new Set((texts.peek()[of] ?? []).map(({ key }) => key));
  const fresh = arrived.slice(-TEXTS_MAX).filter(({ id }) => !have.has(id));
  if (!fresh.length) return;
  change(of, (all) => [...all, ...fresh.map(({ id, from, text, files }): Text => ({ key: id, mine: false, other: from, text, media: files, state: "arrived" }))]);
}
