/** What the audit log is narrowed to. */
import { useSignal, type Signal } from "@preact/signals";
import type { JSX } from "preact";
import { useStore } from "../context";
import { EVERYTHING, filterProblem, type AuditFilters } from "./audit_filters";
import { ACTIONS, actionWords } from "./audit_words";

type Option = readonly [value: string, label: string];

interface ChoiceProps {
  readonly label: string;
  readonly all: string;
  readonly options: readonly Option[];
  readonly value: string;
  readonly onChange: (value: string) => void;
}

function Choice({ label, all, options, value, onChange }: ChoiceProps): JSX.Element {
  return (
    <label class="field">
      <span>{label}</span>
      <select value={value} onChange={(event) => onChange(event.currentTarget.value)}>
        <option value="">{all}</option>
        {options.map(([id, name]) => (
          <option key={id} value={id}>
            {name}
          </option>
        ))}
      </select>
    </label>
  );
}

function Day({ label, value, onChange }: { label: string; value: string; onChange: (value: string) => void }): JSX.Element {
  return (
    <label class="field">
      <span>{label}</span>
      <input type="date" value={value} onChange={(event) => onChange(event.currentTarget.value)} />
    </label>
  );
}

const byLabel = (options: Option[]): Option[] => options.sort((a, b) => a[1].localeCompare(b[1]));

/** Takes effect with each choice; what cannot match is said and not asked for. */
export function AuditForm({ filters, onReload }: { filters: Signal<AuditFilters>; onReload: () => void }): JSX.Element {
  const store = useStore();
  const written = useSignal(filters.peek());
  const set = (change: Partial<AuditFilters>): void => {
    written.value = { ...written.peek(), ...change };
    if (!filterProblem(written.peek())) filters.value = written.peek();
  };
  const clear = (): void => {
    written.value = filters.value = EVERYTHING;
  };
  const now = written.value;
  const problem = filterProblem(now);
  return (
    <form class="filters" role="search" aria-label="Audit log" onSubmit={(event) => event.preventDefault()}>
      <Choice label="Who" all="Everybody" value={now.actor} options={byLabel([...store.people.value.values()].map(({ id, name }) => [id, name]))} onChange={(actor) => set({ actor })} />
      <Choice label="What" all="Everything" value={now.action} options={byLabel(ACTIONS.map((id) => [id, actionWords(id)]))} onChange={(action) => set({ action })} />
      <Choice label="Inbox" all="All inboxes" value={now.inbox} options={store.inboxes.value.map(({ id, name }) => [id, name])} onChange={(inbox) => set({ inbox })} />
      <Day label="From" value={now.since} onChange={(since) => set({ since })} />
      <Day label="To" value={now.until} onChange={(until) => set({ until })} />
      <div class="tools">
        <button type="button" class="button" onClick={clear}>
          Clear
        </button>
        <button type="button" class="button" onClick={onReload}>
          Refresh
        </button>
      </div>
      {problem ? (
        <p class="problem" role="alert">
          {problem}
        </p>
      ) : null}
    </form>
  );
}
