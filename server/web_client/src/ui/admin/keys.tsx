/** The API keys of one user: what each may, when it was used, ending it, making another. */
import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { useEffect } from "preact/hooks";
import { Confirm } from "./confirm";
import { KeyDialog } from "./key_dialog";
import { scopeWords, type Key } from "./key_words";
import { keysOf, revokeKey } from "./keys_api";
import { Pages, usePages, whole } from "./paging";
import { When } from "./when";

export interface Owner {
  readonly id: string;
  readonly name: string;
  readonly role: "member" | "admin";
}

function KeyRow({ one, onRevoke }: { one: Key; onRevoke: () => void }): JSX.Element {
  return (
    <tr>
      <th scope="row">{one.label || <span class="soft">no label</span>}</th>
      <td>{scopeWords(one.scopes)}</td>
      <td>
        <When at={one.created_at} none="unknown" />
      </td>
      <td>
        <When at={one.last_used_at} />
      </td>
      <td class="cell-acts">
        <button type="button" class="button button-small" aria-label={`Revoke ${one.label || one.id}`} onClick={onRevoke}>
          Revoke
        </button>
      </td>
    </tr>
  );
}

export function Keys({ owner, onChange }: { owner: Owner; onChange?: () => void }): JSX.Element {
  const found = usePages(() => whole(keysOf(owner.id)));
  useEffect(found.reload, [owner.id]);
  const revoking = useSignal<Key | null>(null);
  const making = useSignal(false);
  const changed = (): void => {
    found.reload();
    onChange?.();
  };
  const ending = revoking.value;
  return (
    <>
      <Pages of={found} what="keys" more="Show more" empty={`${owner.name} has no API keys. A key lets a program act as ${owner.name}.`}>
        {(keys) => (
            <div class="table-box">
              <table class="table">
                <caption class="hidden-text">{`API keys of ${owner.name}`}</caption>
                <thead>
                  <tr>
                    <th scope="col">Label</th>
                    <th scope="col">May</th>
                    <th scope="col">Created</th>
                    <th scope="col">Last used</th>
                    <th scope="col">
                      <span class="hidden-text">Actions</span>
                    </th>
                  </tr>
                </thead>
                <tbody>
                  {keys.map((one) => (
                    <KeyRow key={one.id} one={one} onRevoke={() => (revoking.value = one)} />
                  ))}
                </tbody>
              </table>
            </div>
        )}
      </Pages>
      <button type="button" class="button button-small" onClick={() => (making.value = true)}>
        Create key
      </button>
      {making.value ? <KeyDialog owner={owner} onMade={changed} onClose={() => (making.value = false)} /> : null}
      {ending ? (
        <Confirm
          label="Revoke key"
          words={`Whatever uses “${ending.label || ending.id}” is refused from now on, and its open connections are closed. This cannot be undone.`}
          button="Revoke key"
          act={() => revokeKey(owner.id, ending.id)}
          onDone={changed}
          onClose={() => (revoking.value = null)}
        />
      ) : null}
    </>
  );
}
