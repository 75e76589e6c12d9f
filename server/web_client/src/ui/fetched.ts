/** Asking the server for a file that it may still be fetching from the carrier. */

/** What is known of the file behind a link. */
export type Found =
  | { readonly state: "ready"; readonly type: string; readonly size: number }
  | { readonly state: "waiting"; readonly retryMs: number }
  | { readonly state: "gone"; readonly words: string };

/** Growing pauses; after the last one somebody has to ask. */
export const PAUSES_MS = [1_000, 2_000, 4_000, 8_000, 15_000, 30_000, 60_000];
const TIMEOUT_MS = 15_000;

export async function look(url: string): Promise<Found> {
  let answer: Response;
  try {
    answer = await fetch(url, { credentials: "same-origin", signal: AbortSignal.timeout(TIMEOUT_MS) });
  } catch {
    return { state: "waiting", retryMs: 0 };
  }
  if (answer.ok) {
    void answer.body?.cancel(); // only its head was wanted
    const type = answer.headers.get("content-type")?.split(";")[0] ?? "";
    return { state: "ready", type, size: Number(answer.headers.get("content-length") ?? 0) };
  }
  if (answer.status === 503 || answer.status === 429) {
    return { state: "waiting", retryMs: 1000 * Number(answer.headers.get("retry-after") ?? 0) || 0 };
  }
  const { detail } = (await answer.json().catch(() => ({}))) as { detail?: string };
  return { state: "gone", words: detail ?? "This file could not be fetched." };
}
