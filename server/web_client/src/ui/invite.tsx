/** Accepting an invitation: whose it is, and a password of one's own. */
import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { enter, passwordProblem, post, takeSecret, words } from "./entering";
import { EntryField, EntryForm, EntryNote } from "./entry_form";

interface Invited {
  readonly user: string;
  readonly name: string;
  readonly organisation: { readonly name: string };
}

const HEADING = "Join your team";

function Form({ code, invited, onDone }: { code: string; invited: Invited; onDone: () => void }): JSX.Element {
  const user = useSignal(invited.user);
  const password = useSignal("");
  const again = useSignal("");
  const check = (): string => passwordProblem(password.peek(), again.peek());
  const send = () => enter("/v1/session/invite", { code, password: password.peek() });
  const whom = invited.organisation.name ? ` to ${invited.organisation.name}` : "";
  return (
    <EntryForm heading={HEADING} button="Join and sign in" busyText="Joining…" check={check} send={send} onDone={onDone}>
      <p class="sign-in-reason">
        Welcome{whom}, {invited.name}. Choose a password.
      </p>
      <EntryField label="User" name="user" autocomplete="username" value={user} fixed hint="You sign in with it from now on." />
      <EntryField label="Password" name="password" autocomplete="new-password" value={password} secret hint="At least 8 characters." />
      <EntryField label="Password again" name="again" autocomplete="new-password" value={again} secret />
    </EntryForm>
  );
}

export function Invite({ onDone }: { onDone: () => void }): JSX.Element | null {
  const code = useRef<string | null>(null);
  code.current ??= takeSecret("invite");
  const invited = useSignal<Invited | null>(null);
  const problem = useSignal("");
  useEffect(() => {
    void post<Invited>("/v1/session/invite/look", { code: code.current }).then((answer) => {
      if (answer.ok) invited.value = answer.value;
      else problem.value = words(answer);
    });
  }, []);
  if (problem.value)
    return (
      <EntryNote heading={HEADING}>
        <p>{problem.value}</p>
        <a href="/" class="button button-primary button-wide">
          Sign in
        </a>
      </EntryNote>
    );
  return invited.value ? <Form code={code.current} invited={invited.value} onDone={onDone} /> : null;
}
