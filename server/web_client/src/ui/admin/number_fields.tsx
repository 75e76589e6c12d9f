/** What the dialogs about numbers ask for. */
import type { Signal } from "@preact/signals";
import type { JSX } from "preact";
import type { Named } from "./routing_api";
import type { AdminInbox } from "./routing_words";

interface ChoiceProps {
  readonly label: string;
  readonly value: string;
  readonly onPick: (id: string) => void;
  readonly options: readonly (readonly [string, string])[];
  readonly first?: boolean;
}

export function Choice({ label, value, onPick, options, first }: ChoiceProps): JSX.Element {
  return (
    <label class="field">
      <span>{label}</span>
      <select value={value} data-first={first ? "" : undefined} onChange={(event) => onPick(event.currentTarget.value)}>
        {options.map(([id, words]) => (
          <option key={id} value={id}>
            {words}
          </option>
        ))}
      </select>
    </label>
  );
}

/** Every inbox by name, those to come too; `none` stands for no inbox. */
export function inboxOptions(all: readonly AdminInbox[], none?: string): readonly (readonly [string, string])[] {
  const named = [...all].sort((a, b) => a.name.localeCompare(b.name)).map(({ id, name }) => [id, name] as const);
  return none === undefined ? named : [["", none], ...named];
}

export const carrierOptions = (all: readonly Named[]): readonly (readonly [string, string])[] => all.map(({ id, name }) => [id, name || id] as const);

/** For a new number; where there are several, the server knows which is its own. */
export const newCarrierOptions = (all: readonly Named[]): readonly (readonly [string, string])[] =>
  all.length === 1 ? carrierOptions(all) : [["", "The server's own"], ...carrierOptions(all)];

export function NumberInput({ value, first }: { value: Signal<string>; first?: boolean }): JSX.Element {
  return (
    <label class="field">
      <span>Phone number</span>
      <input type="tel" data-first={first ? "" : undefined} autocomplete="off" placeholder="+1 416 555 0100" value={value.value} onInput={(event) => (value.value = event.currentTarget.value)} />
    </label>
  );
}
