/** Making an API key, and showing its secret the one time it is known. */
import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { Checks } from "./checks";
import { Dialog } from "../dialog";
import { exportLine, scopesFor, type Scope } from "./key_words";
import { makeKey } from "./keys_api";
import { FormDialog } from "./form_dialog";
import type { Owner } from "./keys";
import { CopyField } from "./secret";

function Made({ owner, token, onClose }: { owner: Owner; token: string; onClose: () => void }): JSX.Element {
  return (
    <Dialog label="Your new key" onClose={onClose}>
      <div class="dialog-stack">
        <p class="dialog-words">
          {`This is the only time that the key of ${owner.name} is shown. Copy it now and keep it as you keep a password; if it is lost, revoke it and create another.`}
        </p>
        <CopyField label="Key" value={token} first />
        <CopyField label="Line for a shell" value={exportLine(token)} />
        <footer class="dialog-foot">
          <button type="button" class="button button-primary" onClick={onClose}>
            Done
          </button>
        </footer>
      </div>
    </Dialog>
  );
}

/** The secret lives in this element alone: closed, it is forgotten. */
export function KeyDialog({ owner, onMade, onClose }: { owner: Owner; onMade: () => void; onClose: () => void }): JSX.Element {
  const label = useSignal("");
  const scopes = useSignal<readonly string[]>(["read", "act"]);
  const token = useSignal("");
  if (token.value) return <Made owner={owner} token={token.value} onClose={onClose} />;
  const options = scopesFor(owner.role).map(({ scope, label, about }) => ({ id: scope, label, about }));
  return (
    <FormDialog
      label={`Create key for ${owner.name}`}
      button="Create key"
      check={() => {
        if (!label.peek().trim()) return "Give the key a label, such as the program that will use it.";
        return scopes.peek().length ? "" : "Choose at least one thing that the key may do.";
      }}
      act={async () => {
        const made = await makeKey(owner.id, label.peek().trim(), scopes.peek() as readonly Scope[]);
        token.value = made.token;
        onMade();
      }}
      onClose={onClose}
      staysOpen
    >
      <label class="field">
        <span>Label</span>
        <input type="text" data-first maxLength={100} autocomplete="off" placeholder="What will use it" value={label.value} onInput={(event) => (label.value = event.currentTarget.value)} />
      </label>
      <Checks label="What it may do" options={options} chosen={scopes} />
    </FormDialog>
  );
}
