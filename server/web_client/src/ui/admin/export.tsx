/** Everything the organisation has, as far as its admin may see it, in one file. */
import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { wordsOf } from "./api";
import { receiveExport, type Progress } from "./export_stream";
import { exportWords, sizeWords } from "./export_words";

/** The browser saves it where it saves files. */
function save(file: Blob, name: string): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(file);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

function Bar({ now }: { now: Progress }): JSX.Element {
  const { done, total, bytes } = now;
  return (
    <div class="export-bar">
      <progress aria-label="Export" {...(total ? { value: done, max: total } : {})} />
      <p class="said">{`${done.toLocaleString("en")} of ${total.toLocaleString("en")} conversations and rooms · ${sizeWords(bytes)}`}</p>
    </div>
  );
}

export function Export(): JSX.Element {
  const now = useSignal<Progress | null>(null);
  const done = useSignal("");
  const problem = useSignal("");
  const stop = useRef<AbortController | null>(null);
  useEffect(() => () => stop.current?.abort(), []);
  const start = async (): Promise<void> => {
    if (now.peek()) return;
    stop.current = new AbortController();
    now.value = { done: 0, total: 0, bytes: 0 };
    done.value = problem.value = "";
    try {
      const { file, counts } = await receiveExport((step) => (now.value = step), stop.current.signal);
      save(file, `batonbox-${new Date().toISOString().slice(0, 10)}.ndjson`);
      done.value = `Complete: ${exportWords(counts)}, ${sizeWords(file.size)}.`;
    } catch (error) {
      problem.value = wordsOf(error);
    }
    now.value = null;
  };
  const running = now.value;
  return (
    <div class="page page-wide">
      <h1>Export</h1>
      <p class="page-words">
        Users, inboxes, numbers, contacts, every conversation with its messages and notes, and the rooms that you are in, one JSON value a line. Rooms that you are not in are not in it; files are named, not contained. Its lines are described in{" "}
        <code>docs/export.md</code>.
      </p>
      <div class="tools export-tools">
        {running ? (
          <button key="one" type="button" class="button" onClick={() => stop.current?.abort()}>
            Stop
          </button>
        ) : (
          <button key="one" type="button" class="button button-primary" onClick={() => void start()}>
            Export everything
          </button>
        )}
      </div>
      {running ? <Bar now={running} /> : null}
      <p class="said" role="status">
        {done.value || (running ? "The export is under way. Stay on this page until it is complete." : "")}
      </p>
      {problem.value ? (
        <p class="problem" role="alert">
          {problem.value}
        </p>
      ) : null}
      <p class="page-words">One conversation or channel alone is exported from its ⋮ menu: as JSON, as CSV, or as a page to print.</p>
    </div>
  );
}
