/** The right pane: one conversation, or what to do to see one. */
import type { JSX } from "preact";
import { useEffect } from "preact/hooks";
import { Key } from "./bits";
import { useShared, useStore } from "./context";
import { Conversation } from "./parts";
import { shortcuts } from "./prefs";
import { address, follow, route } from "./route";

function NothingOpen(): JSX.Element {
  const { store, about } = useShared();
  const { unassigned } = store.totals.value;
  const phone = { page: "phone" } as const;
  return (
    <div class="empty">
      <p class="empty-title">{unassigned ? "Choose a conversation" : "Nothing waits"}</p>
      <p class="empty-text">
        {unassigned
          ? "Take one with Assign to Me, and the reply field is yours alone."
          : "When a customer texts one of your numbers, it appears under Unassigned."}
      </p>
      {shortcuts.value && unassigned ? (
        <p class="empty-text empty-keys">
          <Key>J</Key> <Key>K</Key> next and previous, <Key>A</Key> assign to me, <Key>?</Key> all keys
        </p>
      ) : null}
      {about.simulator && !unassigned ? (
        <p class="empty-text">
          <a href={address(phone)} onClick={follow(phone)}>
            Send yourself a first text
          </a>
        </p>
      ) : null}
    </div>
  );
}

export function ThreadPane(): JSX.Element {
  const store = useStore();
  const { conv } = route.value;
  const { state } = store.link.value;
  // Beside the code of its conversation, not after it; again when there is a connection.
  useEffect(() => {
    if (conv) store.prepare();
  }, [conv, state]);
  return (
    <section class="thread-pane" aria-label="Conversation">
      {conv ? <Conversation key={conv} conv={conv} /> : <NothingOpen />}
    </section>
  );
}
