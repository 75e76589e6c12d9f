/** First start: the organisation's name and its first admin, by the link of the server's console. */
import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { enter, passwordProblem, takeSecret, unset } from "./entering";
import { EntryField, EntryForm, EntryNote } from "./entry_form";

const HEADING = "Set up batonbox";

function Form({ token, onDone }: { token: string; onDone: () => void }): JSX.Element {
  const organisation = useSignal("");
  const name = useSignal("");
  const user = useSignal("");
  const password = useSignal("");
  const again = useSignal("");
  const written = () => [organisation, name, user].map((field) => field.peek().trim());

  const check = (): string => {
    if (written().includes("")) return "Fill in every field.";
    return passwordProblem(password.peek(), again.peek());
  };
  const send = () => {
    const [named = "", person = "", id = ""] = written();
    return enter("/v1/setup", { token, organisation: named, name: person, user: id, password: password.peek() });
  };

  return (
    <EntryForm heading={HEADING} button="Set up and sign in" busyText="Setting up…" check={check} send={send} onDone={onDone}>
      <p class="sign-in-reason">Name your organisation and make yourself its first admin. You can invite others afterwards.</p>
      <EntryField label="Organisation" name="organisation" autocomplete="organization" value={organisation} />
      <EntryField label="Your name" name="name" autocomplete="name" value={name} hint="What your team sees." />
      <EntryField label="User" name="user" autocomplete="username" value={user} hint="You sign in with it: small letters, digits, - and _." />
      <EntryField label="Password" name="password" autocomplete="new-password" value={password} secret hint="At least 8 characters." />
      <EntryField label="Password again" name="again" autocomplete="new-password" value={again} secret />
    </EntryForm>
  );
}

/** What to do on a server that nobody has set up, for whoever came without the link. */
export function NotSetUp(): JSX.Element {
  return (
    <EntryNote heading={HEADING}>
      <p>Nobody has set up this server yet.</p>
      <p>
        Open the link that <code>batonbox-server serve</code> printed on its console; it ends with <code>#token=…</code>. It is
        valid until the server stops, and each start prints a new one.
      </p>
    </EntryNote>
  );
}

export function Setup({ onDone }: { onDone: () => void }): JSX.Element | null {
  const token = useRef<string | null>(null);
  token.current ??= takeSecret("token");
  const empty = useSignal<boolean | null>(null);
  useEffect(() => {
    void unset().then((answer) => (empty.value = answer));
  }, []);
  if (empty.value === null) return null;
  if (!empty.value)
    return (
      <EntryNote heading={HEADING}>
        <p>This server is set up already.</p>
        <a href="/" class="button button-primary button-wide">
          Go to the Inboxes
        </a>
      </EntryNote>
    );
  return token.current ? <Form token={token.current} onDone={onDone} /> : <NotSetUp />;
}
