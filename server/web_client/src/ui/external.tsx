/** A customer's conversation in Interactions: its whole history, to be read; to be answered where it is mine. */
import type { JSX } from "preact";
import { useMemo } from "preact/hooks";
import type { ConversationView, Line } from "../contract";
import { Empty } from "./bits";
import { useStore } from "./context";
import { Conversation, Head } from "./conversation";
import { clock } from "./format";
import { ThreadItem } from "./lines";
import { useLooking } from "./looking";
import { address, follow } from "./route";
import { ThreadLog } from "./thread_log";
import { arrange } from "./thread_model";

const CHANGES: ReadonlySet<string> = new Set(["assigned", "transferred", "returned", "done", "undone"]);

/** "Ana had this until 14:02 · then Bo"; "" where the ownership stayed. */
export function ownershipWords(line: Line, owner: string, nameOf: (id: string, acting?: boolean) => string): string {
  if (!CHANGES.has(line.kind) || owner === line.to) return "";
  const before = owner ? nameOf(owner, true) : "Nobody";
  const after = line.to ? nameOf(line.to) : line.kind === "done" ? "done" : "nobody";
  return `${before} had this until ${clock(line.atMs)} · then ${after}`;
}

const inInboxes = (view: ConversationView): { page: "inboxes"; inbox: string; filter: "open" | "done"; conv: string } => ({
  page: "inboxes",
  inbox: view.inbox,
  filter: view.row.status === "done" ? "done" : "open",
  conv: view.row.id,
});

function ReadOnly({ conv }: { conv: string }): JSX.Element {
  const store = useStore();
  const thread = useMemo(() => store.thread(conv), [store, conv]);
  useLooking(store, conv, () => store.conversation(conv).value !== undefined);
  const view = store.conversation(conv).value;
  if (!view) {
    const known = store.ready.value && !thread.loading.value;
    return known ? <Empty title="This conversation is not here">It may have been removed, or you are not a member of its inbox.</Empty> : <div class="thread-waiting" />;
  }
  const place = inInboxes(view);
  return (
    <>
      <Head conv={conv} view={view} readOnly />
      <ThreadLog
        thread={thread}
        start="This is where the conversation begins."
        arrange={arrange}
        render={(item) => <ThreadItem key={item.key} item={item} conv={conv} customer={view.row.customer} words={ownershipWords} />}
      />
      <div class="composer composer-locked">
        <p class="composer-words">To be read here. It is answered in Inboxes, by who has it.</p>
        <div class="composer-foot">
          <a class="button button-primary" href={address(place)} onClick={follow(place)}>
            Open in Inboxes
          </a>
        </div>
      </div>
    </>
  );
}

export function External({ conv }: { conv: string }): JSX.Element {
  const store = useStore();
  if (!store.prepared.value) return <div class="thread-waiting" />;
  return store.conversation(conv).value?.flag === "mine" ? <Conversation conv={conv} /> : <ReadOnly conv={conv} />;
}
