/** A form before anybody is signed in: fields, what is wrong, one button. */
import { useSignal, type Signal } from "@preact/signals";
import type { ComponentChildren, JSX } from "preact";
import { useEffect, useId, useRef } from "preact/hooks";
import { words } from "./entering";
import type { SignInResult } from "./sign_in";

export interface EntryFieldProps {
  readonly label: string;
  readonly name: string;
  readonly autocomplete: AutoFill;
  readonly value: Signal<string>;
  readonly hint?: string;
  readonly secret?: boolean;
  /** Shown, and kept by password managers, but not to be changed. */
  readonly fixed?: boolean;
}

export function EntryField({ label, name, autocomplete, value, hint, secret, fixed }: EntryFieldProps): JSX.Element {
  const id = useId();
  return (
    <div>
      <label class="field">
        <span>{label}</span>
        <input
          name={name}
          type={secret ? "password" : "text"}
          required
          readOnly={fixed ?? false}
          autocomplete={autocomplete}
          autocapitalize={name === "user" ? "none" : undefined}
          spellcheck={false}
          aria-describedby={hint ? id : undefined}
          value={value.value}
          onInput={(event) => (value.value = event.currentTarget.value)}
        />
      </label>
      {hint ? (
        <p id={id} class="field-hint">
          {hint}
        </p>
      ) : null}
    </div>
  );
}

export interface EntryFormProps {
  readonly heading: string;
  readonly children: ComponentChildren;
  readonly button: string;
  readonly busyText: string;
  /** Why it cannot be sent yet; "" when it can. */
  readonly check: () => string;
  readonly send: () => Promise<SignInResult>;
  readonly onDone: () => void;
}

/** What is wrong is said aloud, and the form has the focus again. */
export function EntryForm({ heading, children, button, busyText, check, send, onDone }: EntryFormProps): JSX.Element {
  const problem = useSignal("");
  const busy = useSignal(false);
  const form = useRef<HTMLFormElement>(null);
  useEffect(() => {
    document.title = `${heading} · batonbox`;
    form.current?.querySelector<HTMLInputElement>("input:not([readonly])")?.focus();
  }, []);

  const submit = async (event: Event): Promise<void> => {
    event.preventDefault();
    if (busy.peek()) return;
    problem.value = check();
    if (problem.peek()) return;
    busy.value = true;
    const result = await send();
    busy.value = false;
    if (result.ok) onDone();
    else problem.value = words(result);
  };

  return (
    <main class="sign-in">
      <form ref={form} class="sign-in-box" noValidate onSubmit={(event) => void submit(event)}>
        <p class="brand brand-large" aria-hidden="true">
          batonbox
        </p>
        <h1>{heading}</h1>
        {children}
        <div role="alert">{problem.value ? <p class="problem">{problem.value}</p> : null}</div>
        <button type="submit" class="button button-primary button-wide" aria-disabled={busy.value}>
          {busy.value ? busyText : button}
        </button>
      </form>
    </main>
  );
}

/** Instead of a form: why there is none. */
export function EntryNote({ heading, children }: { heading: string; children: ComponentChildren }): JSX.Element {
  const title = useRef<HTMLHeadingElement>(null);
  useEffect(() => {
    document.title = `${heading} · batonbox`;
    title.current?.focus();
  }, []);
  return (
    <main class="sign-in">
      <div class="sign-in-box">
        <h1 ref={title} tabIndex={-1}>
          {heading}
        </h1>
        {children}
      </div>
    </main>
  );
}
