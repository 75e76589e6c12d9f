/** The lines of a thread as people read them. */
import type { JSX } from "preact";
import type { Line } from "../contract";
import { customerName, useStore, nameOf } from "./context";
import { dayName } from "./days";
import { clock, fullTime } from "./format";
import { Delivery } from "./delivery";
import { Media } from "./media";
import { LineText } from "./line_text";
import { LockIcon } from "./more_icons";
import type { Item } from "./thread_model";
import { minute } from "./time";
import { explains, systemWords } from "./thread_words";

/** "You" for me who acts, "you" for me to whom it is done. */
function useNaming(): (id: string, acting?: boolean) => string {
  const store = useStore();
  const me = store.me.value?.id;
  return (id, acting) => (id === me ? (acting ? "You" : "you") : nameOf(store, id));
}

function Bubble({ line, conv, next }: { line: Line; conv: string; next: Line | undefined }): JSX.Element {
  return (
    <div class="line" data-n={line.n} data-key={line.key} data-kind={line.kind}>
      {line.text || !line.media.length ? (
        <div class="bubble" title={fullTime(line.atMs)}>
          <p class="bubble-text" dir="auto">
            <LineText text={line.text} mentions={line.mentions} />
          </p>
        </div>
      ) : null}
      <Media conv={conv} n={line.n} files={line.media} />
      <Delivery line={line} conv={conv} next={next} />
    </div>
  );
}

interface GroupProps {
  readonly item: Extract<Item, { type: "group" }>;
  readonly conv: string;
  readonly customer: string;
}

function Group({ item, conv, customer }: GroupProps): JSX.Element {
  const store = useStore();
  const naming = useNaming();
  const first = item.lines[0] as Line;
  const author = item.side === "customer" ? customerName(store, customer) : first.kind === "answered" ? "Automatic answer" : naming(item.actor, true);
  return (
    <div class={`group group-${item.side}`}>
      <p class="group-head">
        {item.side === "note" ? (
          <span class="note-mark">
            <LockIcon />
            Internal note
          </span>
        ) : null}
        <span class={item.side === "customer" ? "hidden-text" : "group-author"}>{author}</span>
        <time dateTime={new Date(first.atMs).toISOString()}>{clock(first.atMs)}</time>
      </p>
      {item.lines.map((line, at) => (
        <Bubble key={line.key} line={line} conv={conv} next={item.lines[at + 1]} />
      ))}
    </div>
  );
}

interface ItemProps {
  readonly item: Item;
  readonly conv: string;
  readonly customer: string;
  /** What changed the ownership, for a divider, above the usual words where they say more; "" for these alone. */
  readonly words?: (line: Line, owner: string, naming: (id: string, acting?: boolean) => string) => string;
}

export function ThreadItem({ item, conv, customer, words }: ItemProps): JSX.Element {
  const naming = useNaming();
  if (item.type === "day") {
    return (
      <h3 class="day">
        <span>{dayName(item.atMs, minute.value)}</span>
      </h3>
    );
  }
  if (item.type === "remark") return <p class="system">{item.words}</p>;
  if (item.type === "system") {
    const { line } = item;
    const divides = words?.(line, item.owner, naming) ?? "";
    if (divides) {
      return (
        <>
          <p class="day divider" data-n={line.n} data-key={line.key} data-kind={line.kind} title={fullTime(line.atMs)}>
            <span>{divides}</span>
          </p>
          {explains(line, item.owner) ? <p class="system">{systemWords(line, item.owner, naming)}</p> : null}
        </>
      );
    }
    return (
      <p class="system" data-n={line.n} data-key={line.key} data-kind={line.kind} title={fullTime(line.atMs)}>
        {systemWords(line, item.owner, naming)}
        <time dateTime={new Date(line.atMs).toISOString()}>{clock(line.atMs)}</time>
      </p>
    );
  }
  return <Group item={item} conv={conv} customer={customer} />;
}
