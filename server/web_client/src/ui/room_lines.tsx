/** The lines of a room as people read them; one's own posts can be changed where they stand. */
import { useSignal, type Signal } from "@preact/signals";
import type { JSX } from "preact";
import { useLayoutEffect, useRef } from "preact/hooks";
import type { Line, Person, Room, Thread } from "../contract";
import { online, type Choice } from "./acts";
import { Avatar } from "./bits";
import { nameOf, useStore } from "./context";
import { dayName } from "./days";
import { Delivery } from "./delivery";
import { openDialog } from "./dialog_state";
import { clock, fullTime } from "./format";
import { LineText } from "./line_text";
import { Media } from "./media";
import { mentioned } from "./mentions";
import { Menu } from "./menu";
import { focusSoon, places } from "./places";
import { refusalWords } from "./refusals";
import { arrangeRoom, type RoomItem } from "./room_model";
import { roomLineWords, roomName } from "./room_words";
import { ThreadLog } from "./thread_log";
import { minute } from "./time";

interface Props {
  readonly room: Room;
  readonly thread: Thread;
  /** Who can be called. */
  readonly people: readonly Person[];
  /** The number of the post that is being changed, 0 for none. */
  readonly editing: Signal<number>;
}

interface PostProps extends Props {
  readonly line: Line;
}

function useNaming(): (id: string, acting?: boolean) => string {
  const store = useStore();
  const me = store.me.value?.id;
  return (id, acting) => (id === me ? (acting ? "You" : "you") : nameOf(store, id));
}

/** In the post's place: Enter or Ctrl+Enter saves, Escape leaves it as it was. */
function Editor({ room, line, people, editing }: PostProps): JSX.Element {
  const store = useStore();
  const text = useSignal(line.text);
  const problem = useSignal("");
  const box = useRef<HTMLTextAreaElement>(null);
  useLayoutEffect(() => {
    box.current?.focus();
    box.current?.setSelectionRange(line.text.length, line.text.length);
  }, []);
  const saving = useRef(false);
  const end = (): void => {
    if (editing.peek() !== line.n) return; // another one is being changed by now
    editing.value = 0;
    focusSoon(() => places.composer ?? places.log);
  };
  const save = async (): Promise<void> => {
    const written = text.peek().trim();
    if (written === line.text) return end();
    if (!written && !line.media.length) return void (problem.value = "Nothing is left of it. Delete the message instead.");
    if (saving.current || !online(store)) return;
    saving.current = true;
    const outcome = await store.editPost(room.id, line.n, written, mentioned(written, people));
    saving.current = false;
    if (outcome.ok) end();
    else problem.value = refusalWords(outcome.slug, outcome.message);
  };
  const keys = (event: KeyboardEvent): void => {
    if (event.isComposing) return;
    if (event.key === "Escape") {
      event.stopPropagation();
      end();
    } else if (event.key === "Enter" && !event.shiftKey && !event.altKey) {
      event.preventDefault();
      void save();
    }
  };
  return (
    <div class="post-editor">
      <textarea ref={box} rows={2} aria-label="Edit message" value={text.value} onInput={(event) => (text.value = event.currentTarget.value)} onKeyDown={keys} />
      {problem.value ? (
        <p class="problem" role="alert">
          {problem.value}
        </p>
      ) : null}
      <div class="post-editor-foot">
        <button type="button" class="button button-small" onClick={end}>
          Cancel
        </button>
        <button type="button" class="button button-small button-primary" onClick={() => void save()}>
          Save
        </button>
      </div>
    </div>
  );
}

function PostMenu({ room, line, editing }: PostProps): JSX.Element | null {
  const store = useStore();
  const me = store.me.value;
  const mine = line.actor === me?.id;
  const channel = room.kind !== "direct";
  const oversees = channel && me?.role === "admin";
  const gone = line.state === "deleted";
  const choices: Choice[] = [];
  if (line.n === 0) return null;
  if (mine && !gone && !room.archived) choices.push({ id: "edit", label: "Edit", hint: "", run: () => void (editing.value = line.n) });
  if (oversees && (gone || line.state === "edited")) {
    choices.push({ id: "versions", label: "Earlier versions…", hint: "", run: () => openDialog({ kind: "post_versions", room: room.id, n: line.n, gone }) });
  }
  if (!gone && ((mine && !room.archived) || oversees)) {
    choices.push({ id: "delete", label: "Delete…", hint: "", run: () => openDialog({ kind: "delete_post", room: room.id, n: line.n }) });
  }
  return choices.length ? (
    <span class="post-menu">
      <Menu label={`Actions for the message of ${clock(line.atMs)}`} choices={choices} />
    </span>
  ) : null;
}

function Post(props: PostProps): JSX.Element {
  const { room, line, editing } = props;
  const gone = line.state === "deleted";
  return (
    <div class="line post" data-n={line.n} data-key={line.key} data-kind={line.kind}>
      {editing.value === line.n && line.n > 0 ? (
        <Editor {...props} />
      ) : (
        <div class="post-row">
          {gone || line.text || !line.media.length ? (
            <div class="bubble" title={fullTime(line.atMs)}>
              {gone ? (
                <p class="post-gone">This message was deleted</p>
              ) : (
                <p class="bubble-text" dir="auto">
                  <LineText text={line.text} mentions={line.mentions} />
                </p>
              )}
            </div>
          ) : null}
          {line.state === "edited" ? <span class="post-edited">edited</span> : null}
          <PostMenu {...props} />
        </div>
      )}
      {gone ? null : <Media conv={room.id} n={line.n} files={line.media} />}
      <Delivery line={line} conv={room.id} next={undefined} />
    </div>
  );
}

function Group({ item, ...props }: Props & { item: Extract<RoomItem, { type: "group" }> }): JSX.Element {
  const store = useStore();
  const naming = useNaming();
  const mine = item.actor === store.me.value?.id;
  const first = item.lines[0] as Line;
  return (
    <div class={`group post-group ${mine ? "group-team" : "group-customer"}`}>
      <p class="group-head">
        {mine ? null : <Avatar name={nameOf(store, item.actor)} />}
        <span class="group-author">{naming(item.actor, true)}</span>
        <time dateTime={new Date(first.atMs).toISOString()}>{clock(first.atMs)}</time>
      </p>
      {item.lines.map((line) => (
        <Post key={line.key} line={line} {...props} />
      ))}
    </div>
  );
}

function Item({ item, ...props }: Props & { item: RoomItem }): JSX.Element | null {
  const naming = useNaming();
  switch (item.type) {
    case "day":
      return (
        <h3 class="day">
          <span>{dayName(item.atMs, minute.value)}</span>
        </h3>
      );
    case "unread":
      return (
        <p class="day divider divider-new" id="unread-divider">
          <span>New</span>
        </p>
      );
    case "system": {
      const { line } = item;
      const words = roomLineWords(line, props.room.kind, naming);
      return words ? (
        <p class="system" data-n={line.n} data-key={line.key} data-kind={line.kind} title={fullTime(line.atMs)}>
          {words}
          <time dateTime={new Date(line.atMs).toISOString()}>{clock(line.atMs)}</time>
        </p>
      ) : null;
    }
    case "group":
      return <Group item={item} {...props} />;
  }
}

export function RoomLines(props: Props): JSX.Element {
  const store = useStore();
  const { room, thread } = props;
  const name = roomName(store, room);
  const start = room.kind === "direct" ? `This is where your messages with ${name} begin.` : `This is where ${name} begins.`;
  return (
    <ThreadLog
      thread={thread}
      start={start}
      arrange={(lines) => arrangeRoom(lines, thread.unreadFrom.value)}
      render={(item) => <Item key={item.key} item={item} {...props} />}
    />
  );
}
