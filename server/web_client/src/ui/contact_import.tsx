/** Contacts from a CSV file: tried first, then written, with a report of each line that needs a hand. */
import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { wordsOf } from "./admin/api";
import { importWords } from "./contact_words";
import { importContacts, type ImportEnd, type ImportLine } from "./contacts_api";
import { Dialog } from "./dialog";

const REPORTED_MAX = 200;
const TOLD_EVERY = 100;

interface Result {
  readonly dry: boolean;
  readonly end: ImportEnd;
  /** Those to be looked at, the first of them. */
  readonly errors: readonly ImportLine[];
}

interface Running {
  readonly lines: number;
  readonly dry: boolean;
}

/** One import at a time; leaving the dialog ends it. */
function useImport(onDone: () => void) {
  const running = useSignal<Running | null>(null);
  const result = useSignal<Result | null>(null);
  const problem = useSignal("");
  const stop = useRef<AbortController | null>(null);
  useEffect(() => () => stop.current?.abort(), []);
  const run = async (file: Blob, region: string, dry: boolean): Promise<void> => {
    const errors: ImportLine[] = [];
    let lines = 0;
    stop.current = new AbortController();
    problem.value = "";
    result.value = null;
    running.value = { lines, dry };
    const line = (said: ImportLine): void => {
      lines += 1;
      if (said.outcome === "error" && errors.length < REPORTED_MAX) errors.push(said);
      if (lines % TOLD_EVERY === 0) running.value = { lines, dry };
    };
    try {
      const end = await importContacts(file, { region, dry, line, signal: stop.current.signal });
      result.value = { dry, end, errors };
      if (!dry) onDone();
    } catch (error) {
      problem.value = wordsOf(error);
    }
    running.value = null;
  };
  return { running, result, problem, run };
}

function Report({ result }: { result: Result }): JSX.Element {
  const { dry, end, errors } = result;
  return (
    <div class="dialog-stack">
      <p class="dialog-words" role="status">
        {dry ? `Nothing is written yet. This file would make: ${importWords(end)}.` : `Done: ${importWords(end)}.`}
      </p>
      {errors.length ? (
        <div class="table-box" tabIndex={0} role="region" aria-label="Lines with errors">
          <table class="table">
            <caption class="hidden-text">Lines with errors</caption>
            <thead>
              <tr>
                <th scope="col">Line</th>
                <th scope="col">What to do</th>
              </tr>
            </thead>
            <tbody>
              {errors.map(({ line, name, error }) => (
                <tr key={line}>
                  <th scope="row">{line}</th>
                  <td>
                    {error}
                    {name ? <span class="cell-aside">{name}</span> : null}
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
          {end.error > errors.length ? <p class="soft">{`And ${(end.error - errors.length).toLocaleString("en")} more.`}</p> : null}
        </div>
      ) : null}
    </div>
  );
}

export function ImportDialog({ onDone, onClose }: { onDone: () => void; onClose: () => void }): JSX.Element {
  const file = useSignal<File | null>(null);
  const region = useSignal("");
  const { running, result, problem, run } = useImport(onDone);
  const busy = running.value;
  const tried = result.value?.dry === true;
  const start = (dry: boolean): void => {
    if (!file.peek()) problem.value = "Choose a file first.";
    else if (!running.peek()) void run(file.peek() as File, region.peek().trim().toUpperCase(), dry);
  };
  const changed = (): void => {
    result.value = null;
    problem.value = "";
  };
  return (
    <Dialog label="Import contacts" onClose={onClose} wide>
      <form
        noValidate
        onSubmit={(event) => {
          event.preventDefault();
          start(!tried);
        }}
      >
        <p class="dialog-words">
          A CSV file whose first line names its columns: name, number, number2…, note. A line is about the contact that has one of its numbers; sent again, the same file changes nothing.
        </p>
        <div class="field-row">
          <label class="field">
            <span>File</span>
            <input
              type="file"
              accept=".csv,text/csv"
              data-first
              onChange={(event) => {
                file.value = event.currentTarget.files?.[0] ?? null;
                changed();
              }}
            />
          </label>
          <label class="field">
            <span>Country of numbers without +</span>
            <input
              type="text"
              maxLength={2}
              autocomplete="off"
              placeholder="Optional: CA"
              value={region.value}
              onInput={(event) => {
                region.value = event.currentTarget.value;
                changed();
              }}
            />
          </label>
        </div>
        {busy ? (
          <p class="dialog-words" role="status">{`${busy.dry ? "Checking" : "Importing"}… ${busy.lines.toLocaleString("en")} lines`}</p>
        ) : null}
        {result.value ? <Report result={result.value} /> : null}
        {problem.value ? (
          <p class="problem" role="alert">
            {problem.value}
          </p>
        ) : null}
        <footer class="dialog-foot">
          <button type="button" class="button" onClick={onClose}>
            {result.value && !tried ? "Close" : "Cancel"}
          </button>
          <button type="submit" class="button button-primary" aria-disabled={!!busy}>
            {tried ? "Import" : "Check file"}
          </button>
        </footer>
      </form>
    </Dialog>
  );
}
