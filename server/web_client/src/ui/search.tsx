/** One box over everything that I may see; its results lie beneath it while it has the focus. */
import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { useId, useRef } from "preact/hooks";
import type { Store } from "../contract";
import { useStore } from "./context";
import { SearchIcon } from "./icons";
import { at, places } from "./places";
import { Results, useChoosing, type OptionGroup } from "./search_results";
import { countWords, groupsOf, indexWords, searchable } from "./search_model";
import { namesIn, openTarget, useSearch, type Search } from "./search_state";

/** What was found as things to choose, with older messages on demand. */
export function foundOptions(store: Store, { found, more }: Search): readonly OptionGroup[] {
  if (!found) return [];
  return groupsOf(found, namesIn(store)).map(({ title, choices }) => {
    const options = choices.map(({ id, pieces, about, atMs, target }) => ({ id, pieces, about, atMs, run: () => openTarget(store, target) }));
    const last = { id: "more", pieces: [{ text: "Show more messages", marked: false }], about: "", atMs: 0, run: () => more?.(), stays: true };
    return { title, options: title === "Messages" && more ? [...options, last] : options };
  });
}

/** What there is to say beside the results. */
export function SearchWords({ search, words }: { search: Search; words: string }): JSX.Element {
  const { found, problem, busy } = search;
  const building = found ? indexWords(found.index) : "";
  const groups = found ? groupsOf(found, { customer: String, inbox: String, person: String, me: "" }) : [];
  const said = !searchable(words) ? "" : found ? countWords(groups) : busy ? "Searching…" : "";
  return (
    <>
      {problem ? (
        <p class="problem" role="alert">
          {problem}
        </p>
      ) : null}
      {building ? <p class="palette-words">{building}</p> : null}
      <p class={found && !groups.length ? "palette-words" : "hidden-text"} role="status">
        {said}
      </p>
    </>
  );
}

export function SearchBox(): JSX.Element {
  const store = useStore();
  const words = useSignal("");
  const open = useSignal(false);
  const list = useId();
  /** Where the focus came from. */
  const from = useRef<Element | null>(null);
  const search = useSearch(words.value);
  const groups = foundOptions(store, search);
  const close = (): void => {
    open.value = false;
  };
  const choosing = useChoosing(list, groups, search.current, (option) => {
    if (!open.peek()) return; // left before there was anything
    option.run();
    if (!option.stays) close();
  });
  const leave = (): void => {
    words.value = "";
    close();
    const back = from.current;
    if (back instanceof HTMLElement && back.isConnected && back !== document.body) back.focus({ preventScroll: true });
    else places.list?.("");
  };
  const keys = (event: KeyboardEvent): void => {
    if (event.isComposing) return;
    if (event.key === "Escape") {
      event.preventDefault();
      leave();
    } else if (open.peek()) choosing.key(event);
    else if (event.key === "ArrowDown" || event.key === "Enter") open.value = true;
  };
  const shows = open.value && searchable(words.value);
  return (
    <div class="search search-box">
      <SearchIcon />
      <input
        type="text"
        role="combobox"
        ref={at("search")}
        aria-label="Search"
        aria-autocomplete="list"
        aria-expanded={shows}
        aria-controls={shows ? list : undefined}
        aria-activedescendant={shows && groups.length ? `${list}-${choosing.active}` : undefined}
        autocomplete="off"
        spellcheck={false}
        placeholder="Search"
        value={words.value}
        onFocus={(event) => {
          from.current = event.relatedTarget as Element | null;
          open.value = true;
        }}
        onBlur={close}
        onInput={(event) => {
          words.value = event.currentTarget.value;
          choosing.reset();
          open.value = true;
        }}
        onKeyDown={keys}
      />
      {shows ? (
        <div class="search-found floating">
          <Results
            id={list}
            label="Found"
            groups={groups}
            choosing={choosing}
            run={(option) => {
              option.run();
              if (!option.stays) close();
            }}
          />
          <SearchWords search={search} words={words.value} />
        </div>
      ) : null}
    </div>
  );
}
