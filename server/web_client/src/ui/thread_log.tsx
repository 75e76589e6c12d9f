/** The scrolling part of a conversation: stays where the reader is, whatever comes or loads. */
import { useComputed, useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { useEffect, useLayoutEffect, useRef } from "preact/hooks";
import type { Line, Past, Thread } from "../contract";
import { useShown } from "./around";
import { useLasting } from "./bits";
import { at } from "./places";
import { DownIcon } from "./more_icons";
import { go } from "./route";
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

export function ThreadLog<T>(props: Props<T>): JSX.Element {
  const { thread, past, line } = useShown(props.thread);
  return <Log key={past ? line : 0} {...props} thread={thread} past={past} found={line} />;
}

interface LogProps<T> extends Props<T> {
  readonly past: Past | null;
  /** The line to bring into sight, 0 for none. */
  readonly found: number;
}

/** Brings a line into sight and the focus to it; null where it is not there. */
function reveal(box: HTMLElement, line: number): HTMLElement | null {
  const element = box.querySelector<HTMLElement>(`[data-n="${line}"]`);
  if (!element) return null;
  for (const before of box.querySelectorAll(".line-found")) before.classList.remove("line-found");
  element.classList.add("line-found");
  element.tabIndex = -1;
  element.scrollIntoView({ block: "center" });
  element.focus({ preventScroll: true });
  return element;
}

function Log<T>({ thread, past, found, start, arrange, render }: LogProps<T>): JSX.Element {
  const box = useRef<HTMLDivElement>(null);
  const content = useRef<HTMLDivElement>(null);
  const anchor = useRef<Anchor | null>(null);
  const atEnd = useSignal(true);
  /** The newest message that was there when the reader left the end. */
  const left = useRef(0);
  /** What was brought into sight; a thread that is read anew draws its lines anew. */
  const revealed = useRef<HTMLElement | null>(null);
  /** What was not seen begins above what is in sight. */
  const newAbove = useSignal(false);
  const items = useComputed(() => arrange(thread.lines.value));
  const lines = thread.lines.value;
  const skeleton = useLasting(thread.loading.value && !lines.length);
  const older = useLasting(thread.loading.value && lines.length > 0);

  const divider = (): HTMLElement | null => box.current?.querySelector<HTMLElement>(".divider-new") ?? null;

  const look = (): void => {
    const begins = divider()?.getBoundingClientRect().top;
    newAbove.value = begins !== undefined && begins < (box.current?.getBoundingClientRect().top ?? 0);
  };

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

  const wantNewer = (): void => {
    const element = box.current;
    if (!element || !past || past.loading.peek()) return;
    if (element.scrollHeight - element.scrollTop - element.clientHeight < OLDER_PX) past.newer();
  };

  const scrolled = (): void => {
    const element = box.current;
    if (!element) return;
    const end = !past && element.scrollHeight - element.scrollTop - element.clientHeight <= END_PX;
    if (!end && atEnd.peek()) left.current = thread.lines.peek().at(-1)?.n ?? 0;
    atEnd.value = end;
    anchor.current = end ? null : anchorIn(element);
    look();
    wantOlder();
    wantNewer();
  };

  useLayoutEffect(() => {
    restore();
    look();
  }, [items.value, skeleton, older]);
  useLayoutEffect(() => {
    const element = box.current;
    const there = revealed.current;
    if (!element || !found || (there?.isConnected && there.dataset["n"] === String(found))) return;
    const line = reveal(element, found);
    if (!line) return;
    revealed.current = line;
    left.current = thread.lines.peek().at(-1)?.n ?? 0;
    scrolled(); // also where nothing had to be scrolled: the newest may be in sight with it
  }, [items.value, found]);
  useEffect(wantOlder, [lines, thread.atStart.value]);
  useEffect(() => {
    const watcher = new ResizeObserver(restore);
    if (box.current) watcher.observe(box.current);
    if (content.current) watcher.observe(content.current);
    return () => watcher.disconnect();
  }, []);

  const toNew = (): void => {
    divider()?.scrollIntoView({ block: "start" });
    box.current?.focus({ preventScroll: true });
  };

  const toEnd = (): void => {
    go({}, true); // what the address led to is left
    if (past) return;
    atEnd.value = true;
    restore();
    box.current?.focus({ preventScroll: true });
  };

  const fresh = atEnd.value || past ? 0 : lines.filter((line) => line.n > left.current && !isSystem(line)).length;

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
      {newAbove.value ? (
        <button type="button" class="to-end to-new floating" onClick={toNew}>
          First new message
        </button>
      ) : null}
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
