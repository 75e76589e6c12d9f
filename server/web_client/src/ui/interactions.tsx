/** Interactions: every conversation with a customer that one may see, and the rooms one is in. */
import type { JSX } from "preact";
import { useEffect } from "preact/hooks";
import "../styles/rooms.css";
import { Empty } from "./bits";
import { useStore } from "./context";
import { ConversationList } from "./conversation_list";
import { openDialog } from "./dialog_state";
import { External } from "./external";
import { PlusIcon } from "./icons";
import { InteractionRow } from "./interaction_row";
import { interactionsOf, KIND_NAMES } from "./interactions_model";
import { HashIcon } from "./more_icons";
import { RoomPane } from "./room";
import { go, route, type Kinds } from "./route";
import { SearchBox } from "./search";

function KindButtons(): JSX.Element {
  const { kinds } = route.value;
  return (
    <div class="segmented segmented-kinds" role="group" aria-label="Filter">
      {(Object.keys(KIND_NAMES) as Kinds[]).map((name) => (
        <button key={name} type="button" aria-pressed={kinds === name} onClick={() => go({ kinds: name })}>
          {KIND_NAMES[name]}
        </button>
      ))}
    </div>
  );
}

export function InteractionsList(): JSX.Element {
  const store = useStore();
  const { kinds } = route.value;
  return (
    <section class="list-pane" aria-label="Interactions">
      <header class="list-head">
        <div class="list-head-row">
          <button type="button" class="button button-small" title="New message" onClick={() => openDialog({ kind: "new_message" })}>
            <PlusIcon />
            New
          </button>
          <button type="button" class="button button-small" title="Find a channel" onClick={() => openDialog({ kind: "browse_channels" })}>
            <HashIcon />
            Channels
          </button>
        </div>
        <SearchBox />
        <div class="list-head-row">
          <KindButtons />
        </div>
      </header>
      <ConversationList key={kinds} sections={[interactionsOf(store, kinds)]} showInbox={false} row={InteractionRow} bare />
    </section>
  );
}

export function Interaction(): JSX.Element {
  const store = useStore();
  const { conv } = route.value;
  const { state } = store.link.value;
  useEffect(() => {
    if (conv) store.prepare();
  }, [conv, state]);
  return (
    <section class="thread-pane" aria-label="Conversation">
      {conv ? conv.startsWith("~") ? <RoomPane key={conv} id={conv} /> : <External key={conv} conv={conv} /> : <Empty title="Choose a conversation">Or choose New to write to a colleague or a customer.</Empty>}
    </section>
  );
}
