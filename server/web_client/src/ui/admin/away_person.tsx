/** Saying for somebody that they are away, or back. */
import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { say } from "../toasts";
import { Confirm } from "./confirm";
import { FormDialog } from "./form_dialog";
import type { PersonProps } from "./person_dialogs";
import { setAvailability } from "./team_api";

export function AwayPerson({ person, onDone, onClose }: PersonProps): JSX.Element {
  const release = useSignal(true);
  const act = async (): Promise<void> => {
    await setAvailability(person.id, true, release.peek());
    say(`${person.name} is away.`);
    onDone();
  };
  return (
    <FormDialog label={`Set ${person.name} as away`} button="Set as away" act={act} onClose={onClose}>
      <p class="dialog-words">{`Colleagues see that ${person.name} is away. ${person.name} sees it, too, and can come back.`}</p>
      <div class="check">
        <label>
          <input type="checkbox" aria-describedby="about-release" checked={release.value} onChange={(event) => (release.value = event.currentTarget.checked)} />
          Give customers' next messages back to the inbox
        </label>
        <p id="about-release">{`A conversation of ${person.name} goes back when its customer writes. Off: it waits.`}</p>
      </div>
    </FormDialog>
  );
}

export function BackPerson({ person, onDone, onClose }: PersonProps): JSX.Element {
  const act = async (): Promise<void> => {
    await setAvailability(person.id, false, false);
    say(`${person.name} is available.`);
  };
  return (
    <Confirm
      label={`Set ${person.name} as available`}
      words={`Customers' messages reach ${person.name} again.`}
      button="Set as available"
      act={act}
      onDone={onDone}
      onClose={onClose}
    />
  );
}
