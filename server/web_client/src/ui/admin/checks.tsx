/** Several of a few: which inboxes, which events, which scopes. */
import type { Signal } from "@preact/signals";
import type { JSX } from "preact";
import { useId } from "preact/hooks";

export interface CheckOption {
  readonly id: string;
  readonly label: string;
  readonly about?: string;
}

interface Props {
  readonly label: string;
  readonly options: readonly CheckOption[];
  readonly chosen: Signal<readonly string[]>;
  /** What choosing none means. */
  readonly none?: string;
}

function Check({ option, chosen }: { option: CheckOption; chosen: Signal<readonly string[]> }): JSX.Element {
  const id = useId();
  const { about } = option;
  return (
    <div class="check">
      <label>
        <input
          type="checkbox"
          checked={chosen.value.includes(option.id)}
          aria-describedby={about ? id : undefined}
          onChange={(event) => {
            const others = chosen.peek().filter((one) => one !== option.id);
            chosen.value = event.currentTarget.checked ? [...others, option.id] : others;
          }}
        />
        {option.label}
      </label>
      {about ? <p id={id}>{about}</p> : null}
    </div>
  );
}

export function Checks({ label, options, chosen, none }: Props): JSX.Element {
  return (
    <fieldset class="checks">
      <legend>{label}</legend>
      <div class="checks-list">
        {options.map((option) => (
          <Check key={option.id} option={option} chosen={chosen} />
        ))}
      </div>
      {none && !chosen.value.length ? <p class="field-hint">{none}</p> : null}
    </fieldset>
  );
}
