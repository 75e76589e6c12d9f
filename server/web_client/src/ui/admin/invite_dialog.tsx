/** Inviting somebody, and the link the one time it is shown. */
import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { Dialog } from "../dialog";
import { fullTime } from "../format";
import { Checks } from "./checks";
import { FormDialog } from "./form_dialog";
import { idFrom } from "./key_words";
import { RoleField } from "./role_field";
import { CopyField } from "./secret";
import { invite } from "./team_api";
import { inviteProblem, type MadeInvitation, type Role, type TeamInbox } from "./team_words";

function Made({ made, onClose }: { made: MadeInvitation; onClose: () => void }): JSX.Element {
  return (
    <Dialog label={`Invitation for ${made.name}`} onClose={onClose}>
      <div class="dialog-stack">
        <p class="dialog-words">
          {`Send this link to ${made.name}. This is the only time that it is shown. It works once, until ${fullTime(Date.parse(made.expires_at))}: ${made.name} chooses a password there, and signs in as `}
          <span class="mono">{made.user}</span>.
        </p>
        <CopyField label="Link" value={made.link} first />
        <footer class="dialog-foot">
          <button type="button" class="button button-primary" onClick={onClose}>
            Done
          </button>
        </footer>
      </div>
    </Dialog>
  );
}

interface Props {
  readonly inboxes: readonly TeamInbox[];
  readonly onDone: () => void;
  readonly onClose: () => void;
}

/** The link lives in this element alone: closed, it is forgotten. */
export function InviteDialog({ inboxes, onDone, onClose }: Props): JSX.Element {
  const name = useSignal("");
  const id = useSignal("");
  const role = useSignal<Role>("member");
  const chosen = useSignal<readonly string[]>([]);
  const made = useSignal<MadeInvitation | null>(null);
  if (made.value) return <Made made={made.value} onClose={onClose} />;
  const act = async (): Promise<void> => {
    const user = id.peek().trim();
    made.value = await invite({ name: name.peek().trim(), ...(user ? { user } : {}), role: role.peek(), inboxes: chosen.peek() });
    onDone();
  };
  return (
    <FormDialog label="Invite to the team" button="Create invitation" check={() => inviteProblem(name.peek(), id.peek())} act={act} onClose={onClose} staysOpen>
      <label class="field">
        <span>Name</span>
        <input type="text" data-first maxLength={120} autocomplete="off" placeholder="As colleagues know them" value={name.value} onInput={(event) => (name.value = event.currentTarget.value)} />
      </label>
      <div class="field-row">
        <label class="field">
          <span>Id</span>
          <input
            type="text"
            autocomplete="off"
            autocapitalize="none"
            spellcheck={false}
            placeholder={idFrom(name.value) || "Optional"}
            value={id.value}
            onInput={(event) => (id.value = event.currentTarget.value)}
          />
        </label>
        <RoleField role={role} />
      </div>
      <p class="field-hint">They sign in with the id; it cannot be changed later. Left empty, it is made of the name.</p>
      <Checks label="Inboxes" options={inboxes.map((inbox) => ({ id: inbox.id, label: inbox.name }))} chosen={chosen} none="None chosen: they see no conversation until they become a member of an inbox." />
    </FormDialog>
  );
}
