/** Everything by name: what can be done here, inboxes, and loaded conversations. */
import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import type { Store } from "../contract";
import { choices, type Choice } from "./acts";
import { comeBack } from "./availability";
import { inboxName, useShared } from "./context";
import { Dialog } from "./dialog";
import { closeDialog, openDialog } from "./dialog_state";
import { phoneNumber } from "./format";
import { go, route, type Page } from "./route";
import { VIEWS } from "./sections";

const MOST = 40;

function page(name: Page, label: string): Choice {
  return { id: `go-${name}`, label, hint: "Go", run: () => go({ page: name }) };
}

function commands(store: Store, simulator: boolean): Choice[] {
  const { conv } = route.value;
  const view = conv ? store.conversation(conv).value : undefined;
  const found: Choice[] = view ? choices(store, conv, view).map((choice) => ({ ...choice })) : [];
  found.push({ id: "new", label: "New conversation", hint: "", run: () => openDialog({ kind: "compose" }) });
  found.push({ id: "go-all", label: "All inboxes", hint: "Go", run: () => go({ page: "inboxes", inbox: null, filter: "open" }) });
  for (const { id, name } of store.inboxes.value) {
    found.push({ id: `go-inbox-${id}`, label: name, hint: "Inbox", run: () => go({ page: "inboxes", inbox: id, filter: "open" }) });
  }
  found.push({ id: "go-done", label: "Show Done", hint: "Go", run: () => go({ page: "inboxes", filter: "done" }) });
  found.push(page("interactions", "Interactions"));
  if (store.me.value?.role === "admin") found.push(page("admin", "Admin"));
  if (simulator) found.push(page("phone", "Phone"));
  found.push(page("settings", "Settings"));
  if (store.availability.value.away) found.push({ id: "back", label: "I am back", hint: "", run: () => void comeBack(store) });
  else found.push({ id: "away", label: "Set as away…", hint: "", run: () => openDialog({ kind: "availability" }) });
  found.push({ id: "keys", label: "Keyboard shortcuts", hint: "?", run: () => openDialog({ kind: "shortcuts" }) });
  return found;
}

function conversations(store: Store): Choice[] {
  const found: Choice[] = [];
  for (const view of [...VIEWS.open, ...VIEWS.done]) {
    for (const id of store.list(view, null).ids.peek()) {
      const known = store.conversation(id).peek();
      if (!known) continue;
      found.push({
        id: `conv-${id}`,
        label: `${phoneNumber(known.row.customer)} · ${known.row.preview.slice(0, 60)}`,
        hint: inboxName(store, known.inbox),
        run: () => go({ page: "inboxes", conv: id }),
      });
    }
  }
  return found;
}

export function Palette(): JSX.Element {
  const { store, about } = useShared();
  const words = useSignal("");
  const at = useSignal(0);
  const asked = words.value.trim().toLocaleLowerCase().split(/\s+/).filter(Boolean);
  const fits = ({ label, hint }: Choice): boolean => {
    const text = `${label} ${label.replace(/\s/g, "")} ${hint}`.toLocaleLowerCase();
    return asked.every((word) => text.includes(word));
  };
  const found = [...commands(store, about.simulator), ...(asked.length ? conversations(store) : [])].filter(fits).slice(0, MOST);
  const active = Math.min(at.value, found.length - 1);

  const run = (choice: Choice | undefined): void => {
    if (!choice) return;
    closeDialog();
    choice.run();
  };
  const keys = (event: KeyboardEvent): void => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step !== undefined) {
      event.preventDefault();
      at.value = (active + step + found.length) % Math.max(1, found.length);
      requestAnimationFrame(() => document.getElementById(`command-${at.peek()}`)?.scrollIntoView({ block: "nearest" }));
    } else if (event.key === "Enter") {
      event.preventDefault();
      run(found[active]);
    }
  };
  return (
    <Dialog label="Command palette" bare>
      <input
        class="palette-input"
        type="text"
        role="combobox"
        aria-label="Command"
        aria-expanded="true"
        aria-controls="palette-list"
        aria-autocomplete="list"
        aria-activedescendant={found.length ? `command-${active}` : undefined}
        autocomplete="off"
        placeholder="Type a command, an inbox or a number"
        data-first
        value={words.value}
        onInput={(event) => {
          words.value = event.currentTarget.value;
          at.value = 0;
        }}
        onKeyDown={keys}
      />
      {found.length ? (
        <div class="palette-list" id="palette-list" role="listbox" aria-label="Commands">
          {found.map((choice, place) => (
            <div key={choice.id} id={`command-${place}`} role="option" aria-selected={place === active} onClick={() => run(choice)} onPointerMove={() => (at.value = place)}>
              <span class="palette-label">{choice.label}</span>
              <span class="palette-hint">{choice.hint}</span>
            </div>
          ))}
        </div>
      ) : (
        <p class="section-empty" id="palette-list">
          Nothing has that name. Conversations are searched among those loaded.
        </p>
      )}
    </Dialog>
  );
}
