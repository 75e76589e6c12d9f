/** What stood in a post before it was edited or deleted, for the admins of its channel. */
import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { useEffect } from "preact/hooks";
import { wordsOf } from "./admin/api";
import { nameOf, useStore } from "./context";
import { Dialog } from "./dialog";
import { fullTime } from "./format";
import { versionsOf, type Version } from "./room_api";

interface Props {
  readonly room: string;
  readonly n: number;
  /** The last of what was done to it is its deletion. */
  readonly gone: boolean;
}

const textOf = ({ body }: Version): string => [body.text ?? "", ...(body.media ?? []).map(({ name }) => `[${name || "file"}]`)].filter(Boolean).join("\n");

export function PostVersions({ room, n, gone }: Props): JSX.Element {
  const store = useStore();
  const known = useSignal<readonly Version[] | null>(null);
  const problem = useSignal("");
  useEffect(() => {
    versionsOf(room, n).then(
      (found) => (known.value = found),
      (error: unknown) => (problem.value = wordsOf(error)),
    );
  }, [room, n]);
  const last = (known.value?.length ?? 0) - 1;
  return (
    <Dialog label="Earlier versions">
      <p class="dialog-words">What stood there before, the oldest first. Only admins see this.</p>
      {problem.value ? (
        <p class="problem" role="alert">
          {problem.value}
        </p>
      ) : null}
      {known.value?.length ? (
        <ol class="versions" aria-label="Earlier versions" tabIndex={0}>
          {known.value.map((version, place) => (
            <li key={place}>
              <p class="bubble-text" dir="auto">
                {textOf(version)}
              </p>
              <p class="version-end">
                {`until ${nameOf(store, version.by)} ${gone && place === last ? "deleted" : "changed"} it, `}
                <time dateTime={version.at}>{fullTime(Date.parse(version.at))}</time>
              </p>
            </li>
          ))}
        </ol>
      ) : known.value ? (
        <p class="dialog-words">Nothing is kept of it any more.</p>
      ) : null}
    </Dialog>
  );
}
