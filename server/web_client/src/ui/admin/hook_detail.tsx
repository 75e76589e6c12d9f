/** One webhook: what can be done with it, the last test, and its deliveries. */
import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { complain, say } from "../toasts";
import { wordsOf } from "./api";
import { Confirm } from "./confirm";
import { Deliveries } from "./deliveries";
import { deliveryWords, hookName, type Delivery, type Hook } from "./hook_words";
import { changeHook, deleteHook, rotateSecret, testHook } from "./hooks_api";

interface Props {
  readonly hook: Hook;
  readonly onEdit: () => void;
  /** With the new secret after rotating, "" otherwise. */
  readonly onChange: (secret: string) => Promise<void>;
}

function Tested({ made }: { made: Delivery }): JSX.Element {
  const words = made.state === "delivered" ? "The receiver took the test." : "The receiver did not take the test.";
  return (
    <p class={made.state === "delivered" ? "said" : "problem"}>
      {`${words} ${deliveryWords(made)}.`}
    </p>
  );
}

export function HookDetail({ hook, onEdit, onChange }: Props): JSX.Element {
  const asking = useSignal<"rotate" | "delete" | null>(null);
  const testing = useSignal(false);
  const tested = useSignal<Delivery | null>(null);
  const sent = useSignal(0);
  const name = hookName(hook);

  const test = async (): Promise<void> => {
    if (testing.peek()) return;
    testing.value = true;
    tested.value = null;
    try {
      tested.value = await testHook(hook.id);
    } catch (error) {
      complain(wordsOf(error));
    }
    testing.value = false;
    sent.value += 1;
    await onChange("");
  };
  const turn = async (): Promise<void> => {
    try {
      await changeHook(hook.id, { active: !hook.active });
      say(hook.active ? `${name} is switched off: nothing is sent to it.` : `${name} is switched on.`);
    } catch (error) {
      complain(wordsOf(error));
    }
    await onChange("");
  };
  return (
    <section class="detail" aria-label={name}>
      <div class="table-tools">
        <h2>{name}</h2>
        <div class="tools">
          <button type="button" class="button button-small" aria-disabled={testing.value} onClick={() => void test()}>
            {testing.value ? "Sending…" : "Send a test"}
          </button>
          <button type="button" class="button button-small" onClick={onEdit}>
            Edit
          </button>
          <button type="button" class="button button-small" onClick={() => void turn()}>
            {hook.active ? "Switch off" : "Switch on"}
          </button>
          <button type="button" class="button button-small" onClick={() => (asking.value = "rotate")}>
            New secret
          </button>
          <button type="button" class="button button-small" onClick={() => (asking.value = "delete")}>
            Delete
          </button>
        </div>
      </div>
      <div role="status">{tested.value ? <Tested made={tested.value} /> : null}</div>
      <Deliveries hook={hook} fresh={sent.value} />
      {asking.value === "rotate" ? (
        <Confirm
          label="New secret"
          words={`Calls to ${name} are signed with the new secret from now on. For 24 hours the old one signs along, so that the receiver can be given the new one meanwhile.`}
          button="Make a new secret"
          act={async () => onChange((await rotateSecret(hook.id)).secret)}
          onClose={() => (asking.value = null)}
        />
      ) : null}
      {asking.value === "delete" ? (
        <Confirm
          label="Delete webhook"
          words={`Nothing is sent to ${hook.url} any more, what waits included, and its deliveries are forgotten.`}
          button="Delete webhook"
          act={async () => {
            await deleteHook(hook.id);
            void onChange("");
          }}
          onClose={() => (asking.value = null)}
        />
      ) : null}
    </section>
  );
}
