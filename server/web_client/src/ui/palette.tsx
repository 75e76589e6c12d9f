/** Everything by name: what can be done here, and whatever a search finds. */
import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { useEffect } from "preact/hooks";
import type { Store } from "../contract";
import { choices, type Choice } from "./acts";
import { comeBack } from "./availability";
import { useShared } from "./context";
import { Dialog } from "./dialog";
import { closeDialog, openDialog, typedAhead } from "./dialog_state";
import { go, route, type Page } from "./route";
import { foundOptions, SearchWords } from "./search";
import { Results, useChoosing, type Option, type OptionGroup } from "./search_results";
import { useSearch } from "./search_state";

/** Commands beside what is found. */
const MOST = 6;

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
  found.push(page("contacts", "Contacts"));
  if (store.me.value?.role === "admin") found.push(page("admin", "Admin"));
  if (simulator) found.push(page("phone", "Phone"));
  found.push(page("settings", "Settings"));
  if (store.availability.value.away) found.push({ id: "back", label: "I am back", hint: "", run: () => void comeBack(store) });
  else found.push({ id: "away", label: "Set as away…", hint: "", run: () => openDialog({ kind: "availability" }) });
  found.push({ id: "keys", label: "Keyboard shortcuts", hint: "?", run: () => openDialog({ kind: "shortcuts" }) });
  return found;
}

const plain = ({ id, label, hint, run }: Choice): Option => ({ id, pieces: [{ text: label, marked: false }], about: hint, atMs: 0, run });

export function Palette(): JSX.Element {
  const { store, about } = useShared();
  const words = useSignal("");
  // In the step that gives the field the focus: no key comes between the two.
  useEffect(() => void (words.value = typedAhead()), []);
  const search = useSearch(words.value);
  const asked = words.value.trim().toLocaleLowerCase().split(/\s+/).filter(Boolean);
  const fits = ({ label, hint }: Choice): boolean => {
    const text = `${label} ${label.replace(/\s/g, "")} ${hint}`.toLocaleLowerCase();
    return asked.every((word) => text.includes(word));
  };
  const options = commands(store, about.simulator).filter(fits).slice(0, asked.length ? MOST : undefined).map(plain);
  const groups: readonly OptionGroup[] = [...(options.length ? [{ title: "Commands", options }] : []), ...foundOptions(store, search)];
  const run = (option: Option): void => {
    if (!option.stays) closeDialog();
    option.run();
  };
  const choosing = useChoosing("palette-list", groups, options.length > 0 || search.current, run);
  return (
    <Dialog label="Command palette" bare>
      <input
        class="palette-input"
        type="text"
        role="combobox"
        aria-label="Command or search"
        aria-expanded="true"
        aria-controls="palette-list"
        aria-autocomplete="list"
        aria-activedescendant={groups.length ? `palette-list-${choosing.active}` : undefined}
        autocomplete="off"
        placeholder="Type a command, or what to search for"
        data-first
        value={words.value}
        onInput={(event) => {
          words.value = event.currentTarget.value;
          choosing.reset();
        }}
        onKeyDown={choosing.key}
      />
      <Results id="palette-list" label="Commands and what was found" groups={groups} choosing={choosing} run={run} />
      <SearchWords search={search} words={words.value} />
    </Dialog>
  );
}
