/** A secret on the only occasion that it is shown. */
import type { JSX } from "preact";
import { useRef } from "preact/hooks";
import { complain, say } from "../toasts";

interface Props {
  readonly label: string;
  readonly value: string;
  /** Has the focus when its dialog opens. */
  readonly first?: boolean;
}

/** To be read and copied, not changed; nothing keeps it beyond this element. */
export function CopyField({ label, value, first }: Props): JSX.Element {
  const field = useRef<HTMLInputElement>(null);
  const copy = async (): Promise<void> => {
    field.current?.select();
    try {
      await navigator.clipboard.writeText(value);
      say("Copied.");
    } catch {
      // Without TLS, or refused: it is selected, so that the keyboard can do it.
      complain("This browser does not let the page copy. The text is selected: press Ctrl+C.");
    }
  };
  return (
    <div class="copy-field">
      <label class="field">
        <span>{label}</span>
        <input
          ref={field}
          class="mono"
          type="text"
          readOnly
          autocomplete="off"
          spellcheck={false}
          data-first={first}
          value={value}
          onFocus={(event) => event.currentTarget.select()}
        />
      </label>
      <button type="button" class="button" aria-label={`Copy ${label.toLowerCase()}`} onClick={() => void copy()}>
        Copy
      </button>
    </div>
  );
}
