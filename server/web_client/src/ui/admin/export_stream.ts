/** The organisation's export as it comes: kept as a file, watched for how far it is and for its end. */
import { Problem, refusal } from "./api";

export interface Progress {
  readonly done: number;
  readonly total: number;
  readonly bytes: number;
}

export interface Exported {
  readonly file: Blob;
  /** How many there are of each kind. */
  readonly counts: Readonly<Record<string, number>>;
}

interface Told {
  readonly kind: string;
  readonly done?: number;
  readonly total?: number;
  readonly detail?: string;
  readonly counts?: Readonly<Record<string, number>>;
}

/** So much is held as bytes before the browser gets it for its file. */
const GATHER_BYTES = 8 << 20;
/** Only these lines are read here; the others may be long. */
const WATCHED = ["progress", "end", "error"].map((kind) => `{"kind":"${kind}"`);
const HEAD_CHARS = 24;
const BROKEN = "The export broke off: what came is not whole, and was thrown away. Try again.";

/** Watches a stream of lines for those that are told to it, whatever the pieces it comes in. */
export class Watch {
  private rest = "";
  /** The line under way is none of those. */
  private skipping = false;
  private readonly decoder = new TextDecoder();

  constructor(private readonly told: (line: Told) => void) {}

  bytes(chunk: Uint8Array): void {
    const parts = (this.rest + this.decoder.decode(chunk, { stream: true })).split("\n");
    this.rest = parts.pop() ?? "";
    for (const part of parts) {
      if (!this.skipping && this.watched(part)) this.told(JSON.parse(part) as Told);
      this.skipping = false;
    }
    if (this.skipping || (this.rest.length >= HEAD_CHARS && !this.watched(this.rest))) {
      this.skipping = true;
      this.rest = "";
    }
  }

  private watched(line: string): boolean {
    return WATCHED.some((head) => line.startsWith(head));
  }
}

async function asked(signal: AbortSignal): Promise<ReadableStreamDefaultReader<Uint8Array>> {
  let response: Response;
  try {
    response = await fetch("/v1/export", { credentials: "same-origin", cache: "no-store", signal });
  } catch {
    throw new Problem("offline", signal.aborted ? "Stopped." : "The server cannot be reached. Try again.");
  }
  if (!response.ok) throw await refusal(response);
  if (!response.body) throw new Problem("internal", BROKEN);
  return response.body.getReader();
}

/** Rejects with a Problem, also when the server ends before the last line. */
export async function receiveExport(progress: (now: Progress) => void, signal: AbortSignal): Promise<Exported> {
  const reader = await asked(signal);
  const files: Blob[] = [];
  let gathered: BlobPart[] = [];
  let waiting = 0;
  let bytes = 0;
  let now = { done: 0, total: 0 };
  let counts: Exported["counts"] | null = null;
  let refused = "";
  const watch = new Watch((line) => {
    if (line.kind === "progress") now = { done: line.done ?? 0, total: line.total ?? 0 };
    else if (line.kind === "end") counts = line.counts ?? {};
    else refused = line.detail ?? BROKEN;
  });
  for (;;) {
    const { done, value } = await reader.read().catch(() => {
      throw new Problem("offline", signal.aborted ? "Stopped." : BROKEN);
    });
    if (done) break;
    watch.bytes(value);
    gathered.push(value as BlobPart);
    bytes += value.length;
    waiting += value.length;
    if (waiting >= GATHER_BYTES) {
      files.push(new Blob(gathered));
      gathered = [];
      waiting = 0;
    }
    progress({ ...now, bytes });
  }
  if (refused) throw new Problem("internal", refused);
  if (!counts) throw new Problem("internal", BROKEN);
  return { file: new Blob([...files, ...gathered], { type: "application/x-ndjson" }), counts };
}
