/** A line's text: text nodes, links, and the names it calls, whatever stands in it. */
import type { JSX } from "preact";
import { Hidden } from "./bits";
import { useStore } from "./context";
import { calls, type Named } from "./mentions";
import { pieces } from "./pieces";

interface Props {
  readonly text: string;
  /** Whom it names (user ids). */
  readonly mentions?: readonly string[];
}

function Calls({ text, named, me }: { text: string; named: readonly Named[]; me: string }): JSX.Element {
  const parts: (JSX.Element | string)[] = [];
  let from = 0;
  for (const call of calls(text, named)) {
    parts.push(text.slice(from, call.from));
    const mine = call.ids.includes(me);
    parts.push(
      <strong key={call.from} class={mine ? "mention mention-me" : "mention"}>
        {text.slice(call.from, call.to)}
        {mine ? <Hidden> (you)</Hidden> : null}
      </strong>,
    );
    from = call.to;
  }
  parts.push(text.slice(from));
  return <>{parts}</>;
}

export function LineText({ text, mentions = [] }: Props): JSX.Element {
  const store = useStore();
  const named = mentions.map((id) => store.people.value.get(id)).filter((person) => person !== undefined);
  const me = store.me.value?.id ?? "";
  return (
    <>
      {pieces(text).map((piece, at) =>
        piece.href ? (
          <a key={at} href={piece.href} target="_blank" rel="noopener noreferrer">
            {piece.text}
          </a>
        ) : named.length ? (
          <Calls key={at} text={piece.text} named={named} me={me} />
        ) : (
          piece.text
        ),
      )}
    </>
  );
}
