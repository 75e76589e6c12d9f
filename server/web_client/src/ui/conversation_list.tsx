/** Sections of conversations in one scroll container, of which only what is in sight exists. */
import { useSignal } from "@preact/signals";
import type { ComponentType, JSX } from "preact";
import { useEffect, useLayoutEffect, useRef } from "preact/hooks";
import { Hidden, useLasting } from "./bits";
import { useStore } from "./context";
import { ChevronIcon } from "./icons";
import { places } from "./places";
import { go, route } from "./route";
import { ConversationRow, type RowProps } from "./row";
import { rem } from "./screen";
import { toggle, type Section } from "./sections";
import { hold, reveal, slices, type SectionShape, type Slice } from "./windowing";

const HEAD_REM = 2.25;
const ROW_REM = 4;
const EMPTY_REM = 4;
/** Rows from the end of what is loaded at which the next page is asked for. */
const NEAR = 25;

interface Props {
  readonly sections: readonly Section[];
  readonly showInbox: boolean;
  /** How one of them is drawn. */
  readonly row?: ComponentType<RowProps>;
  /** One list without a heading. */
  readonly bare?: boolean;
}

interface Layout {
  readonly sections: readonly Section[];
  readonly slices: readonly Slice[];
  readonly row: number;
}

const shown = (section: Section): readonly string[] => (section.open ? section.ids : []);

function tailOf(section: Section): number {
  if (!section.open) return 0;
  if (section.unfinished && section.list.loading.value) return ROW_REM * rem.value;
  return section.ids.length ? 0 : EMPTY_REM * rem.value;
}

/** Where a conversation's row lies, and in which section. */
function find(layout: Layout, id: string): { section: number; top: number } | null {
  for (const [section, data] of layout.sections.entries()) {
    const place = shown(data).indexOf(id);
    if (place >= 0) return { section, top: (layout.slices[section] as Slice).bodyTop + place * layout.row };
  }
  return null;
}

const convOf = (target: EventTarget | null): string =>
  target instanceof Element ? ((target.closest("[data-conv]") as HTMLElement | null)?.dataset["conv"] ?? "") : "";

/** Asks for the next page of every section whose loaded end is near. */
function useMore(layout: Layout): void {
  const link = useStore().link.value.state;
  const wanted = layout.sections.map((section, at) => {
    const slice = layout.slices[at] as Slice;
    return section.open && section.unfinished && slice.to + NEAR >= section.ids.length;
  });
  const key = layout.sections.map((section, at) => `${wanted[at]}:${section.list.ids.value.length}`).join();
  useEffect(() => {
    layout.sections.forEach((section, at) => {
      if (wanted[at]) section.list.more();
    });
  }, [key, link]);
}

export function ConversationList({ sections, showInbox, row: Row = ConversationRow, bare = false }: Props): JSX.Element {
  const store = useStore();
  const box = useRef<HTMLDivElement>(null);
  const content = useRef<HTMLDivElement>(null);
  const scroll = useSignal(0);
  const height = useSignal(600);
  /** The row the keyboard stands on. */
  const cursor = useSignal(route.peek().conv);
  const pointed = useRef<string | null>(null);
  const lead = useRef(0);
  const wanted = useRef("");
  const before = useRef<Layout | null>(null);

  const sizes = { head: bare ? 0 : HEAD_REM * rem.value, row: ROW_REM * rem.value, overscan: 6 };
  const shapes: SectionShape[] = sections.map((section) => ({ rows: shown(section).length, tail: tailOf(section) }));
  const layout: Layout = { sections, slices: slices(shapes, sizes, scroll.value, height.value), row: sizes.row };
  const flat = (): string[] => sections.flatMap((section) => [...shown(section)]);

  const setLead = (value: number): void => {
    lead.current = value;
    content.current?.style.setProperty("--lead", `${value}px`);
  };

  const measure = (): void => {
    const element = box.current;
    if (!element) return;
    if (lead.current && element.scrollTop >= lead.current) {
      const rest = element.scrollTop - lead.current;
      setLead(0);
      element.scrollTop = rest;
    }
    // Whole rows: between them nothing has to be drawn anew.
    scroll.value = Math.floor(Math.max(0, element.scrollTop - lead.current) / sizes.row) * sizes.row;
    height.value = element.clientHeight;
  };

  useEffect(() => {
    const element = box.current;
    if (!element) return;
    const watcher = new ResizeObserver(measure);
    watcher.observe(element);
    return () => watcher.disconnect();
  }, []);

  const focusRow = (id: string): void => {
    const element = box.current?.querySelector<HTMLElement>(`a[data-conv="${CSS.escape(id)}"]`);
    if (element) element.focus({ preventScroll: true });
    else wanted.current = id;
  };

  const show = (id: string): void => {
    const element = box.current;
    const place = find(layout, id);
    if (!element || !place) return;
    cursor.value = id;
    const below = sizes.head * (sections.length - 1 - place.section);
    element.scrollTop = reveal(place.top + lead.current, sizes.row, element.scrollTop, element.clientHeight, sizes.head, below);
    measure();
    focusRow(id);
  };

  const neighbour = (by: number): string | undefined => {
    const ids = flat();
    const now = ids.indexOf(cursor.peek());
    if (now < 0) return ids[0];
    return ids[Math.min(ids.length - 1, Math.max(0, now + by))];
  };

  // Before the paint: a key steps through the order that is seen.
  useLayoutEffect(() => {
    places.step = (by) => {
      if (route.peek().conv) cursor.value = route.peek().conv;
      const next = neighbour(by);
      if (!next) return;
      show(next);
      go({ conv: next });
    };
    places.list = (conv) => {
      const id = conv || cursor.peek();
      if (find(layout, id)) show(id);
      else if (flat()[0]) show(flat()[0] as string);
    };
    return () => {
      places.step = null;
      places.list = null;
    };
  });

  /** Which row must not move, if any: the one under the pointer, the focused one, the first in sight. */
  const anchor = (was: Layout): string => {
    if (pointed.current) return pointed.current;
    const focused = convOf(document.activeElement);
    if (focused && box.current?.contains(document.activeElement)) return focused;
    if (!box.current || box.current.scrollTop < sizes.head) return "";
    for (const [at, slice] of was.slices.entries()) {
      const first = Math.ceil((box.current.scrollTop - slice.bodyTop) / was.row);
      const ids = shown(was.sections[at] as Section);
      if (first < ids.length) return ids[Math.max(0, first)] as string;
    }
    return "";
  };

  useLayoutEffect(() => {
    const element = box.current;
    const was = before.current;
    before.current = layout;
    if (!element) return;
    if (wanted.current) {
      focusRow(wanted.current);
      wanted.current = "";
    }
    if (!was || was.row !== layout.row) return;
    const id = anchor(was);
    const then = id ? find(was, id) : null;
    const now = id ? find(layout, id) : null;
    if (!then || !now || then.section !== now.section || then.top === now.top) return;
    const held = hold(then.top, now.top, element.scrollTop, lead.current);
    setLead(held.lead);
    element.scrollTop = held.scrollTop;
    measure();
  });

  useMore(layout);

  const release = (): void => {
    pointed.current = null;
    if (lead.current && !box.current?.contains(document.activeElement)) {
      setLead(0);
      measure();
    }
  };

  const keys = (event: KeyboardEvent): void => {
    const page = Math.max(1, Math.floor(height.peek() / sizes.row) - 2);
    const ids = flat();
    const by: Record<string, number> = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -ids.length, End: ids.length };
    const step = by[event.key];
    if (step === undefined || event.altKey || event.ctrlKey || event.metaKey) return;
    const id = convOf(event.target);
    if (!id) return;
    event.preventDefault();
    cursor.value = id;
    const next = neighbour(step);
    if (next) show(next);
  };

  const rendered = new Set(layout.slices.flatMap((slice, at) => shown(sections[at] as Section).slice(slice.from, slice.to)));
  const stop = rendered.has(cursor.value) ? cursor.value : rendered.has(route.value.conv) ? route.value.conv : [...rendered][0];

  const press = (section: Section, slice: Slice): void => {
    const element = box.current;
    const top = slice.top + lead.current;
    const pinned = element && sections.length > 1 && top > element.scrollTop + element.clientHeight - sizes.head;
    if (!pinned) {
      toggle(section.view);
      return;
    }
    if (!section.open) toggle(section.view);
    element.scrollTop = top;
  };

  return (
    <div
      class="list-scroll"
      ref={box}
      onScroll={measure}
      onKeyDown={keys}
      onFocusIn={(event) => {
        const id = convOf(event.target);
        if (id) cursor.value = id;
      }}
      onFocusOut={() => requestAnimationFrame(() => pointed.current || release())}
      onPointerOver={(event) => (pointed.current = convOf(event.target) || null)}
      onPointerLeave={release}
    >
      <div class="list-content" ref={content}>
        {sections.map((section, at) => (
          <SectionPart
            key={section.view}
            section={section}
            slice={layout.slices[at] as Slice}
            row={sizes.row}
            Row={Row}
            bare={bare}
            below={sections.length - 1 - at}
            stop={stop}
            showInbox={showInbox}
            ready={store.ready.value}
            onPress={() => press(section, layout.slices[at] as Slice)}
          />
        ))}
      </div>
    </div>
  );
}

interface PartProps {
  readonly section: Section;
  readonly slice: Slice;
  readonly row: number;
  readonly Row: ComponentType<RowProps>;
  readonly bare: boolean;
  /** How many heads stand below this one when all are at the bottom. */
  readonly below: number;
  readonly stop: string | undefined;
  readonly showInbox: boolean;
  readonly ready: boolean;
  readonly onPress: () => void;
}

function SectionPart({ section, slice, row, Row, bare, below, stop, showInbox, ready, onPress }: PartProps): JSX.Element {
  const ids = shown(section);
  const loading = section.open && section.unfinished && (section.list.loading.value || !ready);
  const skeleton = useLasting(loading);
  const name = `section-${section.view}`;
  return (
    <>
      {bare ? null : (
        <h2 class="section-head" style={{ "--below": String(below) }}>
          <button type="button" aria-expanded={section.open} onClick={onPress}>
            <ChevronIcon />
            <span id={name}>{section.title}</span>{" "}
            <span class="section-count">{section.count}</span>
          </button>
        </h2>
      )}
      <div class="section-body" style={{ "--height": `${slice.bodyHeight}px` }}>
        {ids.length ? (
          <ul class="rows" {...(bare ? { "aria-label": section.title } : { "aria-labelledby": name })}>
            {ids.slice(slice.from, slice.to).map((id, offset) => (
              <Row
                key={id}
                id={id}
                top={(slice.from + offset) * row}
                place={slice.from + offset + 1}
                total={ids.length}
                stop={id === stop}
                showInbox={showInbox}
              />
            ))}
          </ul>
        ) : null}
        {section.open && !ids.length && !loading ? <p class="section-empty">{section.empty}</p> : null}
        {skeleton ? (
          <div class="section-loading">
            <span class="row row-skeleton" />
            <Hidden>Loading…</Hidden>
          </div>
        ) : null}
      </div>
    </>
  );
}
