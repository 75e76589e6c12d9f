/** Webhooks: where signed events go, whether they arrive, and what was sent. */
import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { useEffect } from "preact/hooks";
import { Dialog } from "../dialog";
import { HookDetail } from "./hook_detail";
import { HookDialog } from "./hook_dialog";
import { eventsWords, hookName, hookState, type Hook } from "./hook_words";
import { hookEvents, hooks } from "./hooks_api";
import { Pages, usePages, whole } from "./paging";
import { CopyField } from "./secret";
import { When } from "./when";

function State({ hook }: { hook: Hook }): JSX.Element {
  const state = hookState(hook);
  if (state !== "failing") return <span class={`state state-${state}`}>{state === "active" ? "Active" : "Off"}</span>;
  return (
    <span class="state state-failed">
      Failing since <When at={hook.failing_since} exact />
    </span>
  );
}

function Row({ hook, open, onOpen }: { hook: Hook; open: boolean; onOpen: () => void }): JSX.Element {
  return (
    <tr data-open={open ? "" : undefined}>
      <th scope="row">
        <button type="button" class="row-button" aria-expanded={open} onClick={onOpen}>
          {hookName(hook)}
        </button>
        <span class="cell-aside mono">{hook.url}</span>
      </th>
      <td>{eventsWords(hook.events)}</td>
      <td>
        <State hook={hook} />
      </td>
      <td>
        <When at={hook.last_delivery_at} exact />
      </td>
    </tr>
  );
}

/** The secret lives in this element alone: closed, it is forgotten. */
function Secret({ value, onClose }: { value: string; onClose: () => void }): JSX.Element {
  return (
    <Dialog label="The webhook's secret" onClose={onClose}>
      <div class="dialog-stack">
        <p class="dialog-words">
          This is the only time that it is shown. Give it to the receiver, which checks with it that a call is from this server; if it is lost, make a new one.
        </p>
        <CopyField label="Secret" value={value} first />
        <footer class="dialog-foot">
          <button type="button" class="button button-primary" onClick={onClose}>
            Done
          </button>
        </footer>
      </div>
    </Dialog>
  );
}

export function Webhooks(): JSX.Element {
  const found = usePages(() => whole(hooks()));
  const known = usePages(() => whole(hookEvents()));
  const open = useSignal("");
  const editing = useSignal<Hook | "new" | null>(null);
  const secret = useSignal("");
  useEffect(() => {
    found.reload();
    known.reload();
  }, []);
  const chosen = found.all?.find(({ id }) => id === open.value);
  const done = async (shown: string): Promise<void> => {
    await found.renew();
    secret.value = shown;
  };
  const edited = editing.value;
  return (
    <div class="page page-wide">
      <div class="table-tools">
        <h1>Webhooks</h1>
        <button type="button" class="button" onClick={() => (editing.value = "new")}>
          Add webhook
        </button>
      </div>
      <p class="page-words">
        Events are posted to these addresses as they happen, and again for a while where the receiver does not answer. Every call is signed: how to check it is described in <code>docs/webhooks.md</code>.
      </p>
      <Pages of={found} what="webhooks" more="Show more" empty="No webhooks yet. Add one to tell another system of yours what happens here.">
        {(all) => (
          <div class="table-box">
            <table class="table">
              <caption class="hidden-text">Webhooks</caption>
              <thead>
                <tr>
                  <th scope="col">Webhook</th>
                  <th scope="col">Events</th>
                  <th scope="col">State</th>
                  <th scope="col">Last delivery</th>
                </tr>
              </thead>
              <tbody>
                {all.map((hook) => (
                  <Row key={hook.id} hook={hook} open={open.value === hook.id} onOpen={() => (open.value = open.value === hook.id ? "" : hook.id)} />
                ))}
              </tbody>
            </table>
          </div>
        )}
      </Pages>
      {chosen ? <HookDetail key={chosen.id} hook={chosen} onEdit={() => (editing.value = chosen)} onChange={done} /> : null}
      {edited ? <HookDialog hook={edited === "new" ? null : edited} events={known.all ?? []} onDone={done} onClose={() => (editing.value = null)} /> : null}
      {secret.value ? <Secret value={secret.value} onClose={() => (secret.value = "")} /> : null}
    </div>
  );
}
