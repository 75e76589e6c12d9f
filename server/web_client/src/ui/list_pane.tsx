/** The middle pane: which conversations there are. */
import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { useStore } from "./context";
import { ConversationList } from "./conversation_list";
import { openDialog } from "./dialog_state";
import { AboutIcon, ChevronIcon, PlusIcon, SearchIcon } from "./icons";
import { at, places } from "./places";
import { go, route, type Filter } from "./route";
import { sectionOf, VIEWS } from "./sections";

/** The inbox the address means: by id, or by name in small letters; null for all of them. */
export function useInbox(): string | null {
  const wanted = route.value.inbox;
  if (wanted === null) return null;
  const all = useStore().inboxes.value;
  const found = all.find(({ id }) => id === wanted) ?? all.find(({ name }) => name.toLowerCase() === wanted.toLowerCase());
  return found?.id ?? wanted;
}

function InboxPicker({ inbox }: { inbox: string | null }): JSX.Element {
  const all = useStore().inboxes.value;
  return (
    <span class="picker">
      <select
        aria-label="Inbox"
        value={inbox ?? ""}
        onChange={(event) => go({ inbox: event.currentTarget.value || null, conv: "" })}
      >
        <option value="">All inboxes</option>
        {all.map(({ id, name }) => (
          <option key={id} value={id}>
            {name}
          </option>
        ))}
      </select>
      <ChevronIcon />
    </span>
  );
}

function FilterButtons(): JSX.Element {
  const { filter } = route.value;
  const button = (name: Filter, label: string): JSX.Element => (
    <button type="button" aria-pressed={filter === name} onClick={() => go({ filter: name })}>
      {label}
    </button>
  );
  return (
    <div class="segmented" role="group" aria-label="Filter">
      {button("open", "Open")}
      {button("done", "Done")}
    </div>
  );
}

export function ListPane(): JSX.Element {
  const store = useStore();
  const words = useSignal("");
  const inbox = useInbox();
  const { filter } = route.value;
  const sections = VIEWS[filter].map((view) => sectionOf(store, view, inbox, words.value));
  const unfinished = sections.some((section) => section.unfinished);
  const keys = (event: KeyboardEvent): void => {
    if (event.key === "Escape") {
      words.value = "";
      places.list?.(route.peek().conv);
    } else if (event.key === "ArrowDown") {
      event.preventDefault();
      places.list?.("");
    }
  };
  return (
    <section class="list-pane" aria-label="Conversations">
      <header class="list-head">
        <div class="list-head-row">
          <InboxPicker inbox={inbox} />
          {inbox ? (
            <button type="button" class="icon-button icon-button-small" title="About this inbox" aria-label="About this inbox" onClick={() => openDialog({ kind: "about", inbox })}>
              <AboutIcon />
            </button>
          ) : null}
          <button type="button" class="button button-small" title="New conversation" onClick={() => openDialog({ kind: "compose" })}>
            <PlusIcon />
            New
          </button>
        </div>
        <div class="list-head-row">
          <FilterButtons />
          <label class="search">
            <SearchIcon />
            <input
              type="search"
              ref={at("filter")}
              aria-label="Filter what is loaded"
              placeholder="Filter"
              value={words.value}
              onInput={(event) => (words.value = event.currentTarget.value)}
              onKeyDown={keys}
            />
          </label>
        </div>
        {words.value ? (
          <p class="list-hint" role="status">
            {unfinished ? "Searches the conversations loaded so far. Scroll to load more." : "Searches every conversation in this list."}
          </p>
        ) : null}
      </header>
      <ConversationList key={`${filter}:${inbox ?? ""}`} sections={sections} showInbox={inbox === null} />
    </section>
  );
}
