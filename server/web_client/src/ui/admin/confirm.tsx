/** Asking before what cannot be undone. */
import type { JSX } from "preact";
import { FormDialog } from "./form_dialog";

interface Props {
  readonly label: string;
  /** What will happen. */
  readonly words: string;
  readonly button: string;
  readonly act: () => Promise<void>;
  readonly onDone?: () => void;
  readonly onClose: () => void;
}

export function Confirm({ label, words, button, act, onDone, onClose }: Props): JSX.Element {
  const run = async (): Promise<void> => {
    await act();
    onDone?.();
  };
  return (
    <FormDialog label={label} button={button} act={run} onClose={onClose}>
      <p class="dialog-words">{words}</p>
    </FormDialog>
  );
}
