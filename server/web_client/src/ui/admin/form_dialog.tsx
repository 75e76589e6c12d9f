/** A dialog that asks for something: fields, what is wrong, Cancel and the one button. */
import { useSignal } from "@preact/signals";
import type { ComponentChildren, JSX } from "preact";
import { Dialog } from "../dialog";
import { wordsOf } from "./api";

/** What follows a change. A dialog that is waited for opens again with what was saved in it. */
export type Done = () => void | Promise<void>;

interface Props {
  readonly label: string;
  readonly children: ComponentChildren;
  readonly button: string;
  /** Why it cannot be sent yet; "" when it can. */
  readonly check?: () => string;
  /** What it is for; a refusal is said in the dialog, which stays. */
  readonly act: () => Promise<void>;
  readonly onClose: () => void;
  readonly wide?: boolean;
  /** `act` has changed what is shown: nothing to close. */
  readonly staysOpen?: boolean;
}

export function FormDialog({ label, children, button, check, act, onClose, wide, staysOpen }: Props): JSX.Element {
  const problem = useSignal("");
  const busy = useSignal(false);
  const submit = async (event: Event): Promise<void> => {
    event.preventDefault();
    if (busy.peek()) return;
    problem.value = check?.() ?? "";
    if (problem.peek()) return;
    busy.value = true;
    try {
      await act();
      if (!staysOpen) onClose();
    } catch (error) {
      problem.value = wordsOf(error);
    }
    busy.value = false;
  };
  return (
    <Dialog label={label} onClose={onClose} wide={wide ?? false}>
      <form noValidate onSubmit={(event) => void submit(event)}>
        {children}
        {problem.value ? (
          <p class="problem" role="alert">
            {problem.value}
          </p>
        ) : null}
        <footer class="dialog-foot">
          <button type="button" class="button" onClick={onClose}>
            Cancel
          </button>
          <button type="submit" class="button button-primary" aria-disabled={busy.value}>
            {button}
          </button>
        </footer>
      </form>
    </Dialog>
  );
}
