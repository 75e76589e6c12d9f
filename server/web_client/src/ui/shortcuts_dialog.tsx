import type { JSX } from "preact";
import { Dialog } from "./dialog";
import { enterSends, shortcuts } from "./prefs";

const KEYS: readonly (readonly [string, string])[] = [
  ["J", "Next conversation"],
  ["K", "Previous conversation"],
  ["A", "Assign to Me"],
  ["R", "Reply"],
  ["N", "Internal note"],
  ["T", "Transfer"],
  ["U", "Return to Inbox"],
  ["E", "Mark as Done"],
  ["Z", "Snooze"],
  ["/", "Filter the list; in Interactions, search"],
  ["?", "These keys"],
  ["Ctrl K", "Command palette"],
  ["Ctrl Enter", "Send the reply, or add the note"],
  ["↑", "Change my last message, in a room's empty field"],
];

export function ShortcutsDialog(): JSX.Element {
  return (
    <Dialog label="Keyboard shortcuts">
      <table class="keys">
        <thead class="hidden-text">
          <tr>
            <th scope="col">Key</th>
            <th scope="col">What it does</th>
          </tr>
        </thead>
        <tbody>
          {KEYS.map(([key, words]) => (
            <tr key={key}>
              <td>
                {key.split(" ").map((part) => (
                  <kbd key={part} class="key">
                    {part}
                  </kbd>
                ))}
              </td>
              <td>{words}</td>
            </tr>
          ))}
        </tbody>
      </table>
      <p class="dialog-aside">
        {enterSends.value ? "Enter sends, Shift+Enter begins a new line. " : ""}
        {shortcuts.value ? "Single keys can be switched off in Settings." : "Single keys are switched off in Settings."}
      </p>
    </Dialog>
  );
}
