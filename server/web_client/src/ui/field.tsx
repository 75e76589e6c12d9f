/** The field that people write in: it grows with its text, and offers colleagues behind an "@". */
import { useSignal, type Signal } from "@preact/signals";
import type { JSX } from "preact";
import { useId, useLayoutEffect, useRef } from "preact/hooks";
import type { Person } from "../contract";
import { useStore } from "./context";
import { inserted, matching, typing } from "./mentions";
import { at, places } from "./places";
import { enterSends } from "./prefs";
import { PresenceDot, presenceOf } from "./presence";

export interface FieldProps {
  readonly label: string;
  readonly text: Signal<string>;
  readonly send: () => void;
  readonly describedBy: string;
  readonly paste?: (event: ClipboardEvent) => void;
  /** Somebody types. */
  readonly typed?: () => void;
  /** Whom "@" offers; left out where nobody can be called. */
  readonly people?: readonly Person[];
}

/** What is offered behind the "@" before the caret, and how it is chosen by keys. */
interface Offer {
  readonly found: readonly Person[];
  readonly active: number;
  readonly choose: (person: Person) => void;
  /** True: the key was for the list. */
  readonly key: (event: KeyboardEvent) => boolean;
  /** The caret has moved. */
  readonly moved: () => void;
}

function useOffer(text: Signal<string>, people: readonly Person[], box: { readonly current: HTMLTextAreaElement | null }): Offer {
  const caret = useSignal(0);
  const active = useSignal(0);
  /** Where an "@" stands whose list was sent away. */
  const refused = useSignal(-1);
  const here = useSignal(false);
  const call = people.length && here.value ? typing(text.value, caret.value) : null;
  const found = call && call.from !== refused.value ? matching(people, call.words) : [];
  const now = Math.min(active.value, found.length - 1);
  const moved = (): void => {
    const element = box.current;
    here.value = element !== null && document.activeElement === element;
    caret.value = element?.selectionEnd ?? 0;
    if (!typing(text.peek(), caret.peek())) refused.value = -1;
  };
  const choose = (person: Person): void => {
    const element = box.current;
    if (!call || !element) return;
    const next = inserted(text.peek(), call.from, caret.peek(), person, people);
    text.value = element.value = next.text;
    element.focus();
    element.setSelectionRange(next.caret, next.caret);
    refused.value = call.from;
    caret.value = next.caret;
  };
  const key = (event: KeyboardEvent): boolean => {
    if (!found.length || event.ctrlKey || event.metaKey || event.altKey) return false;
    const chosen = found[now];
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      active.value = (now + (event.key === "ArrowDown" ? 1 : -1) + found.length) % found.length;
    } else if ((event.key === "Enter" || (event.key === "Tab" && !event.shiftKey)) && chosen) {
      choose(chosen);
    } else if (event.key === "Escape") {
      refused.value = call?.from ?? -1;
    } else return false;
    event.preventDefault();
    event.stopPropagation();
    return true;
  };
  return { found, active: now, choose, key, moved };
}

function Offered({ offer, id }: { offer: Offer; id: string }): JSX.Element {
  const store = useStore();
  const { found } = offer;
  const words = found.length ? `${found.length === 1 ? "1 colleague fits" : `${found.length} colleagues fit`}. Arrow keys choose, Enter inserts.` : "";
  return (
    <>
      {found.length ? (
        <div class="mention-list floating" id={id} role="listbox" aria-label="Colleagues">
          {found.map((person, place) => {
            const there = presenceOf(store, person.id);
            return (
              <div
                key={person.id}
                id={`${id}-${place}`}
                role="option"
                aria-selected={place === offer.active}
                onPointerDown={(event) => event.preventDefault()}
                onClick={() => offer.choose(person)}
              >
                <span>{person.name}</span>
                <span class="option-aside">
                  {there ? <PresenceDot state={there} /> : null}
                  {person.id}
                </span>
              </div>
            );
          })}
        </div>
      ) : null}
      <span class="hidden-text" role="status">
        {words}
      </span>
    </>
  );
}

const NOBODY: readonly Person[] = [];

/** A text of several lines cannot be a combobox: the list belongs to it by aria-activedescendant. */
export function Field({ label, text, send, describedBy, paste, typed, people = NOBODY }: FieldProps): JSX.Element {
  const box = useRef<HTMLTextAreaElement | null>(null);
  const list = useId();
  const offer = useOffer(text, people, box);
  useLayoutEffect(() => {
    const element = box.current;
    if (!element) return;
    element.style.setProperty("height", "auto");
    element.style.setProperty("height", `${element.scrollHeight}px`);
  }, [text.value]);
  const keys = (event: KeyboardEvent): void => {
    if (event.isComposing || offer.key(event)) return;
    if (event.key === "Escape") places.log?.focus({ preventScroll: true }); // out of the text: the keys work again
    if (event.key !== "Enter") return;
    const forced = event.ctrlKey || event.metaKey;
    if (!forced && (event.shiftKey || event.altKey || !enterSends.peek())) return;
    event.preventDefault();
    send();
  };
  const offers = offer.found.length > 0;
  const calling = people.length ? ({ "aria-autocomplete": "list", "aria-haspopup": "listbox" } as const) : {};
  return (
    <div>
      {people.length ? <Offered offer={offer} id={list} /> : null}
      <textarea
        class="composer-field"
        rows={1}
        ref={(element) => {
          box.current = element;
          at("composer")(element);
        }}
        aria-label={label}
        aria-describedby={describedBy}
        {...calling}
        aria-controls={offers ? list : undefined}
        aria-activedescendant={offers ? `${list}-${offer.active}` : undefined}
        placeholder={label}
        value={text.value}
        onInput={(event) => {
          text.value = event.currentTarget.value;
          offer.moved();
          typed?.();
        }}
        onKeyDown={keys}
        onKeyUp={offer.moved}
        onClick={offer.moved}
        onBlur={offer.moved}
        onPaste={paste}
      />
    </div>
  );
}
