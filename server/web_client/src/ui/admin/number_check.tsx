/** Messages are not appearing? A number's way walked step by step, and where it stops. */
import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { useRef } from "preact/hooks";
import { clock, phoneNumber } from "../format";
import { address, follow } from "../route";
import { wordsOf } from "./api";
import { Choice } from "./number_fields";
import { checkNumber } from "./routing_api";
import { checkedWords, STATES, stepWords, type Checked, type Step } from "./routing_words";

export interface Checking {
  readonly number: string;
  /** What is going on: "" for nothing. */
  readonly busy: "" | "check" | "send";
  readonly found: Checked | null;
  readonly atMs: number;
  readonly problem: string;
  /** Choose another number: what was found for the one before goes. */
  readonly choose: (number: string) => void;
  readonly run: (number: string, send: boolean) => void;
}

export function useChecking(): Checking {
  const number = useSignal("");
  const busy = useSignal<Checking["busy"]>("");
  const found = useSignal<Checked | null>(null);
  const atMs = useSignal(0);
  const problem = useSignal("");
  const asked = useRef(0);
  const choose = (chosen: string): void => {
    asked.current += 1;
    number.value = chosen;
    busy.value = "";
    found.value = null;
    problem.value = "";
  };
  const run = (chosen: string, send: boolean): void => {
    if (busy.peek() && number.peek() === chosen) return;
    choose(chosen);
    const mine = asked.current;
    busy.value = send ? "send" : "check";
    checkNumber(chosen, send).then(
      (checked) => {
        if (mine !== asked.current) return;
        found.value = checked;
        atMs.value = Date.now();
        busy.value = "";
      },
      (error: unknown) => {
        if (mine !== asked.current) return;
        problem.value = wordsOf(error);
        busy.value = "";
      },
    );
  };
  return { number: number.value, busy: busy.value, found: found.value, atMs: atMs.value, problem: problem.value, choose, run };
}

const MARKS = { ok: "ok", failed: "failed", warning: "warning", skipped: "off" } as const;

function StepLine({ step }: { step: Step }): JSX.Element {
  return (
    <li class="check-step" data-state={step.state}>
      <span class="check-name">{stepWords(step.step)}</span>
      <span class={`state state-${MARKS[step.state]}`}>{STATES[step.state]}</span>
      <span class="check-says">
        {step.says}
        {step.remedy ? <strong>{` ${step.remedy}`}</strong> : null}
      </span>
    </li>
  );
}

function Found({ checked, atMs }: { checked: Checked; atMs: number }): JSX.Element {
  const there = checked.conv ? ({ page: "inboxes", inbox: null, filter: "open", conv: checked.conv } as const) : null;
  return (
    <>
      <p class={checked.ok ? "check-outcome" : "problem"}>
        <strong>{checkedWords(checked)}</strong> <span class="soft">{`Looked at ${clock(atMs)}.`}</span>{" "}
        {there ? (
          <a href={address(there)} onClick={follow(there)}>
            Open its conversation
          </a>
        ) : null}
      </p>
      <ol class="check-steps" aria-label="Steps">
        {checked.steps.map((step) => (
          <StepLine key={step.step} step={step} />
        ))}
      </ol>
    </>
  );
}

/** `numbers`: those that can be looked at, also such as are only known from kept messages. */
export function NumberCheck({ numbers, checking }: { numbers: readonly string[]; checking: Checking }): JSX.Element {
  const number = numbers.includes(checking.number) ? checking.number : (numbers[0] ?? "");
  const { busy, found, problem } = checking;
  return (
    <section aria-labelledby="check-heading">
      <h2 id="check-heading" tabIndex={-1}>
        Messages are not appearing?
      </h2>
      <p class="soft">
        Every step from the carrier to the screens is looked at. A test message goes the whole way, and stays in the inbox until somebody marks it as done.
      </p>
      {number ? (
        <div class="check-tools">
          <Choice label="Number" value={number} onPick={checking.choose} options={numbers.map((one) => [one, phoneNumber(one)])} />
          <button type="button" class="button" aria-disabled={busy !== ""} onClick={() => checking.run(number, false)}>
            {busy === "check" ? "Checking…" : "Check"}
          </button>
          <button type="button" class="button" aria-disabled={busy !== ""} onClick={() => checking.run(number, true)}>
            {busy === "send" ? "Sending…" : "Send a test message"}
          </button>
        </div>
      ) : (
        <p class="soft">There is no number yet. Add one first.</p>
      )}
      <div role="status">
        {problem ? <p class="problem">{problem}</p> : null}
        {found ? <Found checked={found} atMs={checking.atMs} /> : null}
      </div>
    </section>
  );
}
