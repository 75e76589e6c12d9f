/** The scrolling part of a conversation: stays where the reader is, whatever comes or loads. */
import { useComputed, useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { useEffect, useLayoutEffect, useRef } from "preact/hooks";
import type { Line, Thread } from "../contract";
import { useLasting } from "./bits";
import { at } from "./places";
import { DownIcon } from "./more_icons";
import { isSystem } from "./thread_words";

/** So near the end counts as reading the newest. */
const END_PX = 48;
const OLDER_PX = 400;

interface Props<T> {
  readonly thread: Thread;
  /** What stands before the first line of all. */
  readonly start: string;
  readonly arrange: (lines: readonly Line[]) => readonly T[];
  readonly render: (item: T) => JSX.Element;
}

interface Anchor {
  readonly key: string;
  /** Of the line's top below the container's. */
  readonly top: number;
}

function anchorIn(box: HTMLElement): Anchor | null {
  const edge = box.getBoundingClientRect().top;
  for (const element of box.querySelectorAll<HTMLElement>("[data-key]")) {
    const { top, bottom } = element.getBoundingClientRect();
    if (bottom > edge) return { key: element.dataset["key"] as string, top: top - edge };
  }
  return null;
}

export function ThreadLog<T>({ thread, start, arrange, render }: Props<T>): JSX.Element {
  const box = useRef<HTMLDivElement>(null);
  const content = useRef<HTMLDivElement>(null);
  const anchor = useRef<Anchor | null>(null);
  const atEnd = useSignal(true);
  /** The newest message that was there when the reader left the end. */
  const left = useRef(0);
  const items = useComputed(() => arrange(thread.lines.value));
  const lines = thread.lines.value;
  const skeleton = useLasting(thread.loading.value && !lines.length);
  const older = useLasting(thread.loading.value && lines.length > 0);

  const restore = (): void => {
    const element = box.current;
    if (!element) return;
    if (atEnd.peek()) {
      element.scrollTop = element.scrollHeight;
      return;
    }
    const kept = anchor.current;
    const line = kept && element.querySelector(`[data-key="${CSS.escape(kept.key)}"]`);
    if (!line) return;
    const moved = line.getBoundingClientRect().top - element.getBoundingClientRect().top - kept.top;
    if (Math.abs(moved) >= 1) element.scrollTop += moved;
  };

  const wantOlder = (): void => {
    const element = box.current;
    if (!element || thread.loading.peek() || thread.atStart.peek()) return;
    if (element.scrollTop < OLDER_PX && (element.scrollTop > 0 || thread.lines.peek().length)) thread.older();
  };

  const scrolled = (): void => {
    const element = box.current;
    if (!element) return;
    const end = element.scrollHeight - element.scrollTop - element.clientHeight <= END_PX;
    if (!end && atEnd.peek()) left.current = thread.lines.peek().at(-1)?.n ?? 0;
    atEnd.value = end;
    anchor.current = end ? null : anchorIn(element);
    wantOlder();
  };

  useLayoutEffect(restore, [items.value, skeleton, older]);
  useEffect(wantOlder, [lines, thread.atStart.value]);
  useEffect(() => {
    const watcher = new ResizeObserver(restore);
    if (box.current) watcher.observe(box.current);
    if (content.current) watcher.observe(content.current);
    return () => watcher.disconnect();
  }, []);

  const toEnd = (): void => {
    atEnd.value = true;
    restore();
    box.current?.focus({ preventScroll: true });
  };

  const fresh = atEnd.value ? 0 : lines.filter((line) => line.n > left.current && !isSystem(line)).length;

  return (
    <div class="log-place">
      <div
        class="log"
        role="log"
        aria-label="Messages"
        tabIndex={0}
        ref={(element) => {
          box.current = element;
          at("log")(element);
        }}
        onScroll={scrolled}
      >
        <div class="log-content" ref={content}>
          {thread.atStart.value && lines.length ? <p class="log-start">{start}</p> : null}
          {older && !thread.atStart.value ? <p class="log-start">Loading older messages…</p> : null}
          {skeleton ? <Skeleton /> : null}
          {items.value.map(render)}
        </div>
      </div>
      {fresh || !atEnd.value ? (
        <button type="button" class={fresh ? "to-end floating" : "to-end to-end-quiet floating"} onClick={toEnd}>
          <DownIcon />
          {fresh ? `${fresh} new message${fresh > 1 ? "s" : ""}` : "Newest"}
        </button>
      ) : null}
    </div>
  );
}

function Skeleton(): JSX.Element {
  return (
    <div class="log-skeleton" aria-hidden="true">
      <span />
      <span />
      <span />
    </div>
  );
}
