/** What this person prefers on this device, their password, and leaving. */
import { useSignal, type Signal } from "@preact/signals";
import type { JSX } from "preact";
import { AvailabilitySetting } from "./availability";
import { useShared } from "./context";
import { changePassword } from "./password";
import { enterSends, notifications, preview, shortcuts, sound, theme, type Theme } from "./prefs";
import { SessionsOf } from "./sessions";
import { complain, say } from "./toasts";

interface CheckProps {
  readonly label: string;
  readonly about: string;
  readonly kept: Signal<boolean>;
  readonly onTurnOn?: () => Promise<boolean>;
}

function Check({ label, about, kept, onTurnOn }: CheckProps): JSX.Element {
  const id = `about-${label.toLowerCase().replace(/\W+/g, "-")}`;
  return (
    <div class="setting">
      <label>
        <input
          type="checkbox"
          aria-describedby={id}
          checked={kept.value}
          onChange={(event) => {
            const box = event.currentTarget;
            kept.value = box.checked;
            if (!box.checked || !onTurnOn) return;
            void onTurnOn().then((allowed) => {
              kept.value = allowed;
              box.checked = allowed;
            });
          }}
        />
        {label}
      </label>
      <p id={id}>{about}</p>
    </div>
  );
}

async function allowNotifications(): Promise<boolean> {
  if (!("Notification" in window)) {
    complain("This browser has no desktop notifications.");
    return false;
  }
  const answer = await Notification.requestPermission();
  if (answer === "granted") return true;
  complain("Your browser does not allow notifications for this page. Allow them in the browser's site settings, then try again.");
  return false;
}

const THEMES: readonly (readonly [Theme, string])[] = [
  ["system", "System"],
  ["light", "Light"],
  ["dark", "Dark"],
];

function ThemeChoice(): JSX.Element {
  return (
    <div class="setting radios" role="radiogroup" aria-labelledby="theme-label">
      <span id="theme-label">Theme</span>
      {THEMES.map(([value, label]) => (
        <label key={value}>
          <input type="radio" name="theme" checked={theme.value === value} onChange={() => (theme.value = value)} />
          {label}
        </label>
      ))}
    </div>
  );
}

function PasswordForm(): JSX.Element {
  const old = useSignal("");
  const fresh = useSignal("");
  const problem = useSignal("");
  const submit = async (event: Event): Promise<void> => {
    event.preventDefault();
    problem.value = old.peek() && fresh.peek() ? await changePassword(old.peek(), fresh.peek()) : "Write your present password and a new one.";
    if (problem.peek()) return;
    old.value = fresh.value = "";
    say("Your password is changed. Your other sessions have ended.");
  };
  return (
    <form class="password-form" onSubmit={(event) => void submit(event)}>
      <label class="field">
        <span>Present password</span>
        <input type="password" autocomplete="current-password" value={old.value} onInput={(event) => (old.value = event.currentTarget.value)} />
      </label>
      <label class="field">
        <span>New password</span>
        <input type="password" autocomplete="new-password" value={fresh.value} onInput={(event) => (fresh.value = event.currentTarget.value)} />
      </label>
      <div role="alert">{problem.value ? <p class="problem">{problem.value}</p> : null}</div>
      <button type="submit" class="button">
        Change password
      </button>
    </form>
  );
}

export function Settings(): JSX.Element {
  const { store, about } = useShared();
  const me = store.me.value;
  return (
    <div class="page">
      <h1>Settings</h1>
      <AvailabilitySetting />
      <section aria-labelledby="settings-look">
        <h2 id="settings-look">Appearance</h2>
        <ThemeChoice />
      </section>
      <section aria-labelledby="settings-attention">
        <h2 id="settings-attention">Attention</h2>
        <Check
          label="Desktop notifications"
          about="When a message comes, or somebody hands you a conversation, while this page is not in front."
          kept={notifications}
          onTurnOn={allowNotifications}
        />
        <Check label="Message preview" about="Notifications show how the message begins. Off: the sender and the inbox only." kept={preview} />
        <Check label="Sound" about="A short tone for the same." kept={sound} />
      </section>
      <section aria-labelledby="settings-keys">
        <h2 id="settings-keys">Keyboard</h2>
        <Check label="Keyboard shortcuts" about="Single keys such as J, K and A. Ctrl+K and Ctrl+Enter always work." kept={shortcuts} />
        <Check label="Enter sends" about="Shift+Enter begins a new line. Off: Enter begins a new line and Ctrl+Enter sends." kept={enterSends} />
      </section>
      <section aria-labelledby="settings-session">
        <h2 id="settings-session">{me ? `Signed in as ${me.name}` : "Session"}</h2>
        <PasswordForm />
        <h3 class="settings-sessions">Where you are signed in</h3>
        <SessionsOf onSignOut={() => void store.signOut()} />
        <div class="setting-buttons">
          <button type="button" class="button" onClick={() => void store.signOut()}>
            Sign out
          </button>
          <button type="button" class="button" onClick={() => void store.signOut(true)}>
            Sign out everywhere
          </button>
        </div>
      </section>
      <p class="page-foot">batonbox {about.version}</p>
    </div>
  );
}
