/** To whom: a colleague, a saved contact or a number, in one box. */
import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { useEffect, useRef } from "preact/hooks";
import type { Store } from "../contract";
import { page, wordsOf } from "./admin/api";
import { useStore } from "./context";
import { Dialog } from "./dialog";
import { closeDialog, openDialog } from "./dialog_state";
import { toE164 } from "./e164";
import { phoneNumber } from "./format";
import { matching } from "./mentions";
import { done, enter } from "./room_dialogs";
import { activePeople } from "./room_words";

const WAIT_MS = 150;
const CONTACTS_MAX = 6;
const COLLEAGUES_MAX = 8;

interface Contact {
  readonly id: string;
  readonly name: string;
  readonly numbers: readonly string[];
}

interface Choice {
  readonly id: string;
  readonly label: string;
  readonly hint: string;
  readonly run: () => Promise<void> | void;
}

/** Contacts that these words find, asked for once somebody stops typing; null until they are known. */
function useContacts(words: string): readonly Contact[] | null {
  const found = useSignal<{ readonly words: string; readonly items: readonly Contact[] }>({ words: "", items: [] });
  useEffect(() => {
    if (!words) return;
    let current = true;
    const known = (items: readonly Contact[]): void => void (current && (found.value = { words, items }));
    const timer = setTimeout(() => {
      page<Contact>("/v1/contacts", { q: words, limit: String(CONTACTS_MAX) }).then(
        ({ items }) => known(items),
        () => known([]), // colleagues and numbers are there without
      );
    }, WAIT_MS);
    return () => {
      current = false;
      clearTimeout(timer);
    };
  }, [words]);
  if (!words) return [];
  return found.value.words === words ? found.value.items : null;
}

const compose = (to: string) => (): void => openDialog({ kind: "compose", to });

function choicesOf(store: Store, words: string, contacts: readonly Contact[]): readonly Choice[] {
  const people = activePeople(store);
  const me = store.me.value?.id;
  const colleagues = words ? matching(people, words) : people.filter(({ id }) => id !== me).slice(0, COLLEAGUES_MAX);
  const found: Choice[] = colleagues.map(({ id, name }) => ({
    id: `person-${id}`,
    label: id === me ? `${name} (you)` : name,
    hint: "Direct message",
    run: async () => {
      const room = await done(store, store.openDirect(id));
      closeDialog();
      enter(room);
    },
  }));
  for (const { id, name, numbers } of contacts) {
    for (const number of numbers) {
      found.push({ id: `contact-${id}-${number.slice(1)}`, label: name, hint: phoneNumber(number), run: compose(number) });
    }
  }
  const number = toE164(words);
  if (/^\+[1-9]\d{4,14}$/.test(number)) {
    found.push({ id: "number", label: `Text ${phoneNumber(number)}`, hint: "From one of our numbers", run: compose(number) });
  }
  return found;
}

export function NewMessage(): JSX.Element {
  const store = useStore();
  const words = useSignal("");
  const at = useSignal(0);
  const problem = useSignal("");
  const asked = words.value.trim();
  const contacts = useContacts(asked);
  const found = choicesOf(store, asked, contacts ?? []);
  /** Enter was pressed before anybody was found: it counts once somebody is. */
  const entered = useRef(false);
  const active = Math.min(at.value, found.length - 1);
  const run = (choice: Choice | undefined): void => {
    if (!choice) return;
    problem.value = "";
    Promise.resolve(choice.run()).catch((error: unknown) => (problem.value = wordsOf(error)));
  };
  const keys = (event: KeyboardEvent): void => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step !== undefined) {
      event.preventDefault();
      at.value = (active + step + found.length) % Math.max(1, found.length);
      requestAnimationFrame(() => document.getElementById(`to-${at.peek()}`)?.scrollIntoView({ block: "nearest" }));
    } else if (event.key === "Enter" && !event.isComposing) {
      event.preventDefault();
      if (found[active]) run(found[active]);
      else entered.current = contacts === null;
    }
  };
  useEffect(() => {
    if (contacts === null) return;
    if (entered.current) run(found[active]);
    entered.current = false;
  }, [contacts === null]);
  return (
    <Dialog label="New message">
      <label class="field">
        <span>To</span>
        <input
          type="text"
          role="combobox"
          aria-expanded={found.length > 0}
          aria-controls="to-list"
          aria-autocomplete="list"
          aria-activedescendant={found.length ? `to-${active}` : undefined}
          autocomplete="off"
          placeholder="A colleague, a contact or a number"
          data-first
          value={words.value}
          onInput={(event) => {
            words.value = event.currentTarget.value;
            at.value = 0;
            entered.current = false;
          }}
          onKeyDown={keys}
        />
      </label>
      {found.length ? (
        <div class="palette-list to-list" id="to-list" role="listbox" aria-label="Recipients">
          {found.map((choice, place) => (
            <div key={choice.id} id={`to-${place}`} role="option" aria-selected={place === active} onClick={() => run(choice)} onPointerMove={() => (at.value = place)}>
              <span class="palette-label">{choice.label}</span>
              <span class="palette-hint">{choice.hint}</span>
            </div>
          ))}
        </div>
      ) : (
        <p class="section-empty to-list" id="to-list">
          {contacts === null ? "Searching…" : "Nobody has that name. A number is written with its country code, like +1 416 555 0142."}
        </p>
      )}
      {problem.value ? (
        <p class="problem" role="alert">
          {problem.value}
        </p>
      ) : null}
    </Dialog>
  );
}
