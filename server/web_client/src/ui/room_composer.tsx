/** Where one writes to a room, or why one cannot. */
import type { Signal } from "@preact/signals";
import type { JSX } from "preact";
import type { Person, Room, Thread } from "../contract";
import { online } from "./acts";
import { AttachButton, Attachments, useAttaching, useDrop } from "./attachments";
import { blocked, nameOf, useStore } from "./context";
import { Field } from "./field";
import { mentioned } from "./mentions";
import { places } from "./places";
import { enterSends } from "./prefs";
import { lastOwn } from "./room_model";
import { otherOf, roomName } from "./room_words";
import { lacking, underWay } from "./uploads";

interface Props {
  readonly room: Room;
  readonly thread: Thread;
  readonly people: readonly Person[];
  readonly editing: Signal<number>;
}

function Locked({ words }: { words: string }): JSX.Element {
  return (
    <div class="composer composer-locked">
      <p class="composer-words">{words}</p>
    </div>
  );
}

function Writing({ room, thread, people, editing }: Props): JSX.Element {
  const store = useStore();
  const { id } = room;
  const text = store.draft(id);
  const why = blocked(store);
  const max = store.limits.value.textMaxChars;
  const length = [...text.value].length;
  const tooLong = length > max;
  const attaching = useAttaching(id, store.attached(id));
  const { tray } = attaching;
  useDrop(() => places.composer?.closest<HTMLElement>(".thread-pane"), attaching.take);
  const files = tray.files.value;
  const uploading = underWay(tray);
  const lacks = lacking(tray);
  const empty = !text.value.trim() && !files.length;
  const send = (): void => {
    const written = text.peek();
    const media = tray.files.peek();
    if ((!written.trim() && !media.length) || tooLong || uploading || lacks || !online(store)) return;
    void store.post(id, written, mentioned(written, people), media);
  };
  /** Up in the empty field: the last thing I said is what I want to change. */
  const keys = (event: KeyboardEvent): void => {
    if (event.key !== "ArrowUp" || text.peek() || event.isComposing) return;
    const last = lastOwn(thread.lines.peek(), store.me.peek()?.id ?? "");
    if (!last) return;
    event.preventDefault();
    editing.value = last;
  };
  const hint = why || (uploading ? "Uploading…" : lacks ? "Attach it again, or remove it." : "@ calls a colleague");
  return (
    <div class="composer" onKeyDown={keys}>
      <div class="composer-box">
        <Attachments attaching={attaching} />
        <Field label={`Write to ${roomName(store, room)}`} text={text} send={send} describedBy="composer-counter" paste={attaching.paste} typed={() => store.typing(id)} people={people} />
        <div class="composer-foot">
          <AttachButton attaching={attaching} />
          <span class={tooLong ? "composer-hint composer-too-long" : "composer-hint"} id="composer-counter">
            {tooLong ? `Too long: ${length}/${max} characters` : hint}
          </span>
          <button
            type="button"
            class="button button-primary"
            title={why || (enterSends.value ? "Enter" : "Ctrl+Enter")}
            aria-disabled={empty || tooLong || uploading || lacks || !!why}
            onClick={send}
          >
            Send
          </button>
        </div>
      </div>
    </div>
  );
}

export function RoomComposer(props: Props): JSX.Element {
  const store = useStore();
  const { room } = props;
  if (room.archived) return <Locked words="This channel is archived: it can be read, not written to." />;
  const other = room.kind === "direct" ? otherOf(room, store.me.value?.id ?? "") : "";
  if (other && store.people.value.get(other)?.active === false) return <Locked words={`${nameOf(store, other)} has left the organisation.`} />;
  return <Writing {...props} />;
}
