/** Invitations that can still be accepted. */
import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { nameOf, useStore } from "../context";
import { say } from "../toasts";
import { Confirm } from "./confirm";
import { Pages, type Paged } from "./paging";
import { revokeInvitation } from "./team_api";
import { inboxNames, roleWords, type Invitation, type TeamInbox } from "./team_words";
import { When } from "./when";

function Row({ one, inboxes, onRevoke }: { one: Invitation; inboxes: readonly TeamInbox[]; onRevoke: () => void }): JSX.Element {
  const store = useStore();
  return (
    <tr>
      <th scope="row">
        {one.name}
        <span class="cell-aside mono">{one.user}</span>
      </th>
      <td>{roleWords(one.role)}</td>
      <td>{inboxNames(one.inboxes, inboxes) || <span class="soft">none</span>}</td>
      <td>{nameOf(store, one.by)}</td>
      <td class="cell-time">
        <When at={one.expires_at} exact ahead />
      </td>
      <td class="cell-acts">
        <button type="button" class="button button-small" aria-label={`Revoke the invitation for ${one.name}`} onClick={onRevoke}>
          Revoke
        </button>
      </td>
    </tr>
  );
}

export function Invitations({ found, inboxes }: { found: Paged<Invitation>; inboxes: readonly TeamInbox[] }): JSX.Element {
  const ending = useSignal<Invitation | null>(null);
  const asked = ending.value;
  return (
    <section aria-labelledby="invitations-heading">
      <h2 id="invitations-heading">Open invitations</h2>
      <Pages of={found} what="invitations" more="Show more" empty="Nobody is invited at the moment.">
        {(all) => (
          <div class="table-box">
            <table class="table">
              <caption class="hidden-text">Open invitations</caption>
              <thead>
                <tr>
                  <th scope="col">Name and id</th>
                  <th scope="col">Role</th>
                  <th scope="col">Inboxes</th>
                  <th scope="col">Invited by</th>
                  <th scope="col">Until</th>
                  <th scope="col">
                    <span class="hidden-text">Actions</span>
                  </th>
                </tr>
              </thead>
              <tbody>
                {all.map((one) => (
                  <Row key={one.id} one={one} inboxes={inboxes} onRevoke={() => (ending.value = one)} />
                ))}
              </tbody>
            </table>
          </div>
        )}
      </Pages>
      {asked ? (
        <Confirm
          label="Revoke invitation"
          words={`The link that ${asked.name} was sent no longer works. You can invite ${asked.name} again.`}
          button="Revoke invitation"
          act={() => revokeInvitation(asked.id)}
          onDone={() => {
            say(`${asked.name} is no longer invited.`);
            found.reload();
          }}
          onClose={() => (ending.value = null)}
        />
      ) : null}
    </section>
  );
}
