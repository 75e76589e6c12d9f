/** What was found, in groups, beneath the field that asked; one of them is the active one. */
import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { fullTime, shortTime } from "./format";
import type { Piece } from "./search_model";
import { minute } from "./time";

/** Anything that can be chosen here: also the palette's commands. */
export interface Option {
  readonly id: string;
  readonly pieces: readonly Piece[];
  readonly about: string;
  readonly atMs: number;
  readonly run: () => void;
  /** The list stays open. */
  readonly stays?: boolean;
}

export interface OptionGroup {
  readonly title: string;
  readonly options: readonly Option[];
}

export interface Choosing {
  readonly active: number;
  readonly reset: () => void;
  readonly point: (place: number) => void;
  /** True: the key was for the list. */
  readonly key: (event: KeyboardEvent) => boolean;
}

/** Arrow keys and Enter, for a field whose list has these groups; what is not `current` cannot be chosen by Enter. */
export function useChoosing(list: string, groups: readonly OptionGroup[], current: boolean, run: (option: Option) => void): Choosing {
  const at = useSignal(0);
  /** Enter was pressed before there was anything for the words: it counts once there is. */
  const entered = useRef(false);
  const all = groups.flatMap(({ options }) => options);
  const active = Math.max(0, Math.min(at.value, all.length - 1));
  const key = (event: KeyboardEvent): boolean => {
    const to: Record<string, number> = { ArrowDown: active + 1, ArrowUp: active - 1 };
    const next = to[event.key];
    if (next !== undefined && all.length) {
      at.value = (next + all.length) % all.length;
      requestAnimationFrame(() => document.getElementById(`${list}-${at.peek()}`)?.scrollIntoView({ block: "nearest" }));
    } else if (event.key === "Enter" && !current) entered.current = true;
    else if (event.key === "Enter" && all[active]) run(all[active]);
    else return false;
    event.preventDefault();
    return true;
  };
  useEffect(() => {
    if (current && entered.current && all[active]) run(all[active]);
    if (current) entered.current = false;
  }, [current]);
  const reset = (): void => {
    at.value = 0;
    entered.current = false;
  };
  return { active, key, reset, point: (place) => (at.value = place) };
}

function Label({ pieces }: { pieces: readonly Piece[] }): JSX.Element {
  return <>{pieces.map(({ text, marked }, at) => (marked ? <strong key={at}>{text}</strong> : text))}</>;
}

interface Props {
  /** The list's id; its options' are this and their place. */
  readonly id: string;
  readonly label: string;
  readonly groups: readonly OptionGroup[];
  readonly choosing: Choosing;
  readonly run: (option: Option) => void;
}

export function Results({ id, label, groups, choosing, run }: Props): JSX.Element {
  let place = -1;
  return (
    <div class="palette-list" id={id} role="listbox" aria-label={label}>
      {groups.map(({ title, options }) => (
        <div key={title} role="group" aria-label={title}>
          <p class="palette-group" aria-hidden="true">
            {title}
          </p>
          {options.map((option) => {
            place += 1;
            const here = place;
            return (
              <div
                key={option.id}
                id={`${id}-${here}`}
                role="option"
                aria-selected={here === choosing.active}
                onPointerDown={(event) => event.preventDefault()}
                onClick={() => run(option)}
                onPointerMove={() => choosing.point(here)}
              >
                <span class="palette-label" dir="auto">
                  <Label pieces={option.pieces} />
                </span>
                <span class="palette-hint">
                  {option.about}
                  {option.atMs ? (
                    <time dateTime={new Date(option.atMs).toISOString()} title={fullTime(option.atMs)}>
                      {` ${shortTime(option.atMs, minute.value)}`}
                    </time>
                  ) : null}
                </span>
              </div>
            );
          })}
        </div>
      ))}
    </div>
  );
}
