/** Holding a conversation or a room: nothing of it is erased, whatever its age. */
import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { useEffect } from "preact/hooks";
import { wordsOf } from "./admin/api";
import { FormDialog } from "./admin/form_dialog";
import { hold, holds, release, type Hold } from "./admin/keeping_api";
import { When } from "./admin/when";
import { nameOf, useStore } from "./context";
import { Dialog } from "./dialog";
import { say } from "./toasts";

const REASON_MAX = 500;

function Held({ now, onClose }: { now: Hold; onClose: () => void }): JSX.Element {
  const store = useStore();
  const act = async (): Promise<void> => {
    await release(now.conv);
    say("It is held no longer.");
  };
  return (
    <FormDialog label="Legal hold" button="End hold" act={act} onClose={onClose}>
      <p class="dialog-words">
        {`Held by ${nameOf(store, now.by)}, `}
        <When at={now.since_at} exact />
        {`: ${now.reason}`}
      </p>
      <p class="dialog-words">Without the hold the rules of retention count again: what is older than they say is erased.</p>
    </FormDialog>
  );
}

function Holding({ conv, onClose }: { conv: string; onClose: () => void }): JSX.Element {
  const reason = useSignal("");
  const act = async (): Promise<void> => {
    await hold(conv, reason.peek().trim());
    say("It is held: nothing of it is erased.");
  };
  return (
    <FormDialog label="Legal hold" button="Hold" check={() => (reason.peek().trim() ? "" : "Say why it is held.")} act={act} onClose={onClose}>
      <p class="dialog-words">Nothing of it is erased, whatever its age, until an admin ends the hold. It lets nobody read more than before.</p>
      <label class="field">
        <span>Why</span>
        <textarea rows={2} data-first maxLength={REASON_MAX} value={reason.value} onInput={(event) => (reason.value = event.currentTarget.value)} />
      </label>
    </FormDialog>
  );
}

export function HoldDialog({ conv, onClose }: { conv: string; onClose: () => void }): JSX.Element {
  const found = useSignal<Hold | null | undefined>(undefined);
  const problem = useSignal("");
  useEffect(() => {
    holds().then(
      (all) => void (found.value = all.find((one) => one.conv === conv) ?? null),
      (error: unknown) => void (problem.value = wordsOf(error)),
    );
  }, [conv]);
  if (found.value) return <Held now={found.value} onClose={onClose} />;
  if (found.value === null) return <Holding conv={conv} onClose={onClose} />;
  return (
    <Dialog label="Legal hold" onClose={onClose}>
      <p class={problem.value ? "problem" : "dialog-words"} role={problem.value ? "alert" : undefined}>
        {problem.value || "Loading…"}
      </p>
    </Dialog>
  );
}
