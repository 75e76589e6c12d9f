/** Reading an answer line by line while it comes. */
import { Problem, refusal } from "./admin/api";

/** Rejects with a Problem; where the answer breaks off without one, `line` has not had the last line. */
export async function readLines(path: string, request: RequestInit, line: (text: string) => void): Promise<void> {
  let response: Response;
  try {
    response = await fetch(path, { credentials: "same-origin", cache: "no-store", ...request });
  } catch {
    throw new Problem("offline", request.signal?.aborted ? "Stopped." : "The server cannot be reached. Try again.");
  }
  if (!response.ok) throw await refusal(response);
  if (!response.body) return;
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      const parts = (rest + value).split("\n");
      rest = parts.pop() ?? "";
      for (const part of parts) if (part) line(part);
    }
  } catch (error) {
    if (error instanceof Problem) throw error;
    throw new Problem("offline", request.signal?.aborted ? "Stopped." : "The connection broke off. Try again.");
  }
  if (rest) line(rest);
}
