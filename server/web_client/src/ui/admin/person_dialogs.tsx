/** What an admin does with one person: each in a dialog. */
import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { useStore } from "../context";
import { passwordProblem } from "../entering";
import { say } from "../toasts";
import { Checks } from "./checks";
import { Confirm } from "./confirm";
import { FormDialog, type Done } from "./form_dialog";
import { RoleField } from "./role_field";
import { changePerson, deactivate, deletePerson, reactivate, setPassword } from "./team_api";
import type { Role, Teammate, TeamInbox } from "./team_words";

export interface PersonProps {
  readonly person: Teammate;
  readonly onDone: Done;
  readonly onClose: () => void;
}

export function EditPerson({ person, onDone, onClose }: PersonProps): JSX.Element {
  const mine = useStore().me.value?.id === person.id;
  const name = useSignal(person.name);
  const role = useSignal<Role>(person.role);
  const act = async (): Promise<void> => {
    const typed = name.peek().trim();
    // Only what was changed here: another admin's change of the rest stays.
    await changePerson(person.id, {
      ...(typed === person.name ? {} : { name: typed }),
      ...(role.peek() === person.role ? {} : { role: role.peek() }),
    });
    say(`${typed} is changed.`);
    await onDone();
  };
  return (
    <FormDialog label={`Edit ${person.name}`} button="Save" check={() => (name.peek().trim() ? "" : "Write a name: it is what colleagues see.")} act={act} onClose={onClose}>
      <label class="field">
        <span>Name</span>
        <input type="text" data-first maxLength={120} autocomplete="off" value={name.value} onInput={(event) => (name.value = event.currentTarget.value)} />
      </label>
      <RoleField role={role} />
      {mine && person.role === "admin" && role.value === "member" ? <p class="field-hint">You lose these pages at once; another admin has to make you an admin again.</p> : null}
    </FormDialog>
  );
}

export function PasswordDialog({ person, onDone, onClose }: PersonProps): JSX.Element {
  const mine = useStore().me.value?.id === person.id;
  const password = useSignal("");
  const again = useSignal("");
  const act = async (): Promise<void> => {
    await setPassword(person.id, password.peek());
    say(`${person.name} has a new password.`);
    onDone();
  };
  return (
    <FormDialog label={`Set a password for ${person.name}`} button="Set password" check={() => passwordProblem(password.peek(), again.peek())} act={act} onClose={onClose}>
      <p class="dialog-words">
        {mine ? "You are signed out everywhere, here as well, and sign in with it." : `${person.name} is signed out everywhere. Tell them the password; they can change it under Settings.`}
      </p>
      <label class="field">
        <span>New password</span>
        <input type="password" data-first maxLength={1024} autocomplete="new-password" value={password.value} onInput={(event) => (password.value = event.currentTarget.value)} />
      </label>
      <label class="field">
        <span>New password again</span>
        <input type="password" maxLength={1024} autocomplete="new-password" value={again.value} onInput={(event) => (again.value = event.currentTarget.value)} />
      </label>
    </FormDialog>
  );
}

export function DeactivatePerson({ person, onDone, onClose }: PersonProps): JSX.Element {
  const act = async (): Promise<void> => {
    await deactivate(person.id);
    say(`${person.name} is deactivated.`);
  };
  return (
    <Confirm
      label={`Deactivate ${person.name}`}
      words={`${person.name} loses all access now: browsers are signed out, API keys end, and they leave their inboxes. Their conversations return to the inboxes, unassigned. What they wrote stays under their name. You can reactivate them.`}
      button="Deactivate"
      act={act}
      onDone={onDone}
      onClose={onClose}
    />
  );
}

export function ReactivatePerson({ person, inboxes, onDone, onClose }: PersonProps & { inboxes: readonly TeamInbox[] }): JSX.Element {
  const chosen = useSignal<readonly string[]>([]);
  const act = async (): Promise<void> => {
    await reactivate(person.id, chosen.peek());
    say(`${person.name} is active again.`);
    onDone();
  };
  return (
    <FormDialog label={`Reactivate ${person.name}`} button="Reactivate" act={act} onClose={onClose}>
      <p class="dialog-words">{`${person.name} can sign in again, with the password they had.`}</p>
      <Checks label="Inboxes" options={inboxes.map(({ id, name }) => ({ id, label: name }))} chosen={chosen} none="None chosen: they see no conversation until they become a member of an inbox." />
    </FormDialog>
  );
}

export function DeletePerson({ person, onDone, onClose }: PersonProps): JSX.Element {
  const act = async (): Promise<void> => {
    await deletePerson(person.id);
    say(`${person.name} is deleted.`);
  };
  return (
    <Confirm
      label={`Delete ${person.name}`}
      words={`${person.name} loses all access now, and their conversations return to the inboxes. In the history only the id ${person.id} is left of them. This cannot be undone; to keep the name, deactivate them instead.`}
      button="Delete"
      act={act}
      onDone={onDone}
      onClose={onClose}
    />
  );
}
