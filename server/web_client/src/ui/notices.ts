/** The store's notices as words. */
import type { Notice, Store } from "../contract";
import { undo, wake } from "./acts";
import { handedWords, releasedWords } from "./away_words";
import { customerNow } from "./context";
import { go, opening as at, route } from "./route";
import { complain, say } from "./toasts";
import { refusalWords } from "./refusals";
import { momentWords } from "./snooze_times";

function undoing(store: Store, conv: string, text: string): void {
  const until = store.conversation(conv).peek()?.undoUntilMs ?? 0;
  const left = until - Date.now();
  const ms = left > 1000 ? Math.min(left, 10_000) : 10_000;
  say(text, { action: { label: "Undo", run: () => void undo(store, conv) }, ms });
}

/** "in dispatch"; "" of a customer's conversation. */
function roomWords(store: Store, conv: string): string {
  if (!conv.startsWith("~")) return "";
  const room = store.room(conv).peek();
  return room?.name ? `in ${room.name}` : room ? "in a direct message" : "in a channel";
}

export function tell(store: Store, notice: Notice): void {
  const named = (id: string): string => store.people.peek().get(id)?.name ?? id;
  const someone = (id: string): string => (id ? named(id) : "Somebody");
  const customer = (conv: string): string => customerNow(store, store.conversation(conv).peek()?.row.customer ?? "a customer");
  const opening = (conv: string) => ({ label: "Open", run: () => go(at(conv)) });
  const away = (conv: string): boolean => route.peek().conv !== conv;

  switch (notice.kind) {
    case "lost_race":
      return say(`${someone(notice.by)} picked this up first.`);
    case "moved_away": {
      const where = notice.to ? `to ${named(notice.to)}` : "back to the inbox";
      const did = notice.by && notice.by === notice.to ? "took this conversation over" : `moved this conversation ${where}`;
      return say(`${someone(notice.by)} ${did}.${notice.draftKept ? " Your draft is kept." : ""}`);
    }
    case "handed_to_me": {
      const options = away(notice.conv) ? { action: opening(notice.conv) } : {};
      if (!notice.by) return say(`${customer(notice.conv)} wrote again: the conversation is back with you.`, options);
      return say(`${someone(notice.by)} handed you the conversation with ${customer(notice.conv)}.`, options);
    }
    case "released": {
      const options = away(notice.conv) ? { action: opening(notice.conv) } : {};
      return say(releasedWords(notice.why, customer(notice.conv)), options);
    }
    case "woken": {
      const options = away(notice.conv) ? { action: opening(notice.conv) } : {};
      return say(`The conversation with ${customer(notice.conv)} is due again.`, options);
    }
    case "snoozed": {
      // Where it is open, that stands over its messages, and can be taken back there.
      const back = { action: { label: "Wake", run: () => void wake(store, notice.conv) } };
      return say(`Snoozed until ${momentWords(notice.untilMs, Date.now())}.`, away(notice.conv) ? back : {});
    }
    case "mention": {
      const line = notice.n ?? 0;
      const options = away(notice.conv) ? { action: { label: "Open", run: () => go({ ...at(notice.conv), line }) } } : {};
      return say(`${someone(notice.by)} mentioned you ${roomWords(store, notice.conv) || `in a note about ${customer(notice.conv)}`}.`, options);
    }
    case "added":
      return say(`${someone(notice.by)} added you ${roomWords(store, notice.conv).replace("in ", "to ")}.`, { action: opening(notice.conv) });
    case "direct": // the number beside Interactions says it; calling.ts calls who is not looking
      return;
    case "done":
      return undoing(store, notice.conv, "Marked as done.");
    case "returned":
      return undoing(store, notice.conv, "Returned to the inbox.");
    case "transferred":
      return undoing(store, notice.conv, handedWords("Transferred", named(notice.to), notice.warned));
    case "dispatched":
      return undoing(store, notice.conv, handedWords("Assigned", named(notice.to), notice.warned));
    case "refused":
      return complain(refusalWords(notice.slug, notice.message));
    case "became_draft":
      if (notice.conv.startsWith("~")) return complain("Your message was not sent. The text is kept as your draft.");
      return complain("Your reply was not sent: the conversation is not yours any more. The text is kept as your draft.");
    case "offline":
      return say("You are offline. Nothing was changed.");
    case "writes_lost":
      return complain(
        `The server lost its last moments: ${notice.count} change${notice.count === 1 ? "" : "s"} of yours are gone. Look at your latest conversations.`,
      );
    case "new_build":
      return say("A new version of this page is ready.", {
        tone: "lasting",
        action: { label: "Reload", run: () => location.reload() },
      });
    case "inbound":
      return;
  }
}
