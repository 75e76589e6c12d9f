/** Beside a customer's name or number: their card, or a way onto it. */
import type { JSX } from "preact";
import { useStore } from "./context";
import { openDialog } from "./dialog_state";
import { PersonIcon } from "./more_icons";

export function ContactButton({ number }: { number: string }): JSX.Element {
  const words = useStore().contact(number).value ? "Contact" : "Add to contacts";
  return (
    <button type="button" class="icon-button icon-button-small thread-card" aria-label={words} title={words} onClick={() => openDialog({ kind: "contact", number })}>
      <PersonIcon />
    </button>
  );
}
