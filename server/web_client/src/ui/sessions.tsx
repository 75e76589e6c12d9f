/** Where somebody is signed in, and signing those browsers out. */
import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { useEffect } from "preact/hooks";
import "../styles/admin.css";
import { ask, items, wordsOf } from "./admin/api";
import { Pages, usePages, whole } from "./admin/paging";
import { When } from "./admin/when";
import { agentWords, inOrder, type Session } from "./session_words";
import { complain, say } from "./toasts";

interface Props {
  /** Whose, for an admin; left out for one's own. */
  readonly user?: string;
  /** Ending the session of this page; it is not offered where left out. */
  readonly onSignOut?: () => void;
}

function Row({ one, busy, onEnd }: { one: Session; busy: boolean; onEnd: (() => void) | undefined }): JSX.Element {
  const name = agentWords(one.agent);
  return (
    <tr>
      <th scope="row">
        <span title={one.agent}>{name}</span>
        {one.current ? <span class="tag">This browser</span> : null}
        <span class="cell-aside mono">{one.address}</span>
      </th>
      <td>
        <When at={one.created_at} exact />
      </td>
      <td>
        <When at={one.last_used_at} exact />
      </td>
      <td class="cell-acts">
        {onEnd ? (
          <button type="button" class="button button-small" aria-disabled={busy} aria-label={`Sign out ${name}${one.current ? ", this browser" : ""}, ${one.address}`} onClick={onEnd}>
            Sign out
          </button>
        ) : null}
      </td>
    </tr>
  );
}

/** One's own sessions, or (`user`) somebody's for an admin. A page whose session ends goes to sign-in at once. */
export function SessionsOf({ user, onSignOut }: Props): JSX.Element {
  const path = user === undefined ? "/v1/sessions" : `/v1/admin/users/${encodeURIComponent(user)}/sessions`;
  const found = usePages(() => whole(items<Session>(path).then(inOrder)));
  const busy = useSignal("");
  useEffect(found.reload, [path]);
  const end = async (one: Session): Promise<void> => {
    if (busy.peek()) return;
    busy.value = one.id;
    try {
      await ask("DELETE", `${path}/${encodeURIComponent(one.id)}`);
      say(`Signed out: ${agentWords(one.agent)}.`);
    } catch (error) {
      complain(wordsOf(error));
    }
    busy.value = "";
    found.reload();
  };
  return (
    <Pages of={found} what="sessions" more="Show more" empty="Signed in nowhere.">
      {(all) => (
        <div class="table-box">
          <table class="table">
            <caption class="hidden-text">Sessions</caption>
            <thead>
              <tr>
                <th scope="col">Browser and address</th>
                <th scope="col">Signed in</th>
                <th scope="col">Last used</th>
                <th scope="col">
                  <span class="hidden-text">Actions</span>
                </th>
              </tr>
            </thead>
            <tbody>
              {all.map((one) => (
                <Row key={one.id} one={one} busy={busy.value !== ""} onEnd={one.current ? onSignOut : () => void end(one)} />
              ))}
            </tbody>
          </table>
        </div>
      )}
    </Pages>
  );
}
