/** Files for the message that is being written: chosen, dropped or pasted, shown, taken out again. */
import { useSignal, type Signal } from "@preact/signals";
import type { JSX } from "preact";
import { useEffect, useRef } from "preact/hooks";
import "../styles/media.css";
import type { MediaRef } from "../contract";
import { stayHere } from "./acts";
import { aboutFile, sizeWords } from "./file_words";
import { CloseIcon, ClipIcon, FileIcon } from "./more_icons";
import { ACCEPT, add, bytesOf, LARGE_BYTES, previewOf, removeFile, removeUpload, underWay, uploadsOf, type Tray, type Upload } from "./uploads";

export interface Attaching {
  readonly tray: Tray;
  /** What did not fit. */
  readonly problem: Signal<string>;
  readonly take: (files: readonly File[]) => void;
  /** For a text's `onPaste`: files are attached, text stays text. */
  readonly paste: (event: ClipboardEvent) => void;
}

export function useAttaching(place: string, files: Signal<readonly MediaRef[]>): Attaching {
  const tray = { files, uploads: uploadsOf(place) };
  const problem = useSignal("");
  const take = (given: readonly File[]): void => {
    problem.value = add(tray, given);
  };
  const paste = (event: ClipboardEvent): void => {
    const data = event.clipboardData;
    if (!data?.files.length || data.types.includes("text/plain")) return; // a table's picture beside its text
    event.preventDefault();
    take([...data.files]);
  };
  return { tray, problem, take, paste };
}

/** Where nothing takes a file, beside a note too, it would be opened in the page's place. */
function missed(event: DragEvent): void {
  if (event.defaultPrevented || !event.dataTransfer?.types.includes("Files")) return;
  event.preventDefault();
  event.dataTransfer.dropEffect = "none";
}

window.addEventListener("dragover", missed);
window.addEventListener("drop", missed);

/** Files dropped on the element are taken; it shows that it would take them. */
export function useDrop(find: () => HTMLElement | null | undefined, take: (files: readonly File[]) => void): void {
  const latest = useRef(take);
  latest.current = take;
  useEffect(() => {
    const element = find();
    if (!element) return;
    const over = (event: DragEvent): void => {
      if (!event.dataTransfer?.types.includes("Files")) return;
      event.preventDefault();
      event.dataTransfer.dropEffect = "copy";
      element.dataset["dropping"] = "";
    };
    const end = (event: DragEvent): void => {
      if (event.type === "dragleave" && element.contains(event.relatedTarget as Node | null)) return;
      delete element.dataset["dropping"];
      const files = [...(event.dataTransfer?.files ?? [])];
      if (event.type !== "drop" || !files.length) return;
      event.preventDefault();
      latest.current(files);
    };
    element.addEventListener("dragover", over);
    element.addEventListener("dragleave", end);
    element.addEventListener("drop", end);
    return () => {
      element.removeEventListener("dragover", over);
      element.removeEventListener("dragleave", end);
      element.removeEventListener("drop", end);
      delete element.dataset["dropping"];
    };
  }, []);
}

export function AttachButton({ attaching }: { attaching: Attaching }): JSX.Element {
  const input = useRef<HTMLInputElement>(null);
  return (
    <>
      <input
        ref={input}
        type="file"
        hidden
        multiple
        accept={ACCEPT}
        onChange={(event) => {
          attaching.take([...(event.currentTarget.files ?? [])]);
          event.currentTarget.value = ""; // the same one can be chosen again
        }}
      />
      <button type="button" class="icon-button icon-button-small" aria-label="Attach files" title="Attach files" onClick={() => input.current?.click()}>
        <ClipIcon />
      </button>
    </>
  );
}

function RemoveButton({ name, onClick }: { name: string; onClick: () => void }): JSX.Element {
  const remove = (): void => {
    onClick();
    stayHere();
  };
  return (
    <button type="button" class="icon-button icon-button-small" aria-label={`Remove ${name}`} title="Remove" onClick={remove}>
      <CloseIcon />
    </button>
  );
}

function Attached({ file, onRemove }: { file: MediaRef; onRemove: () => void }): JSX.Element {
  const preview = previewOf(file.id);
  return (
    <li class="attachment">
      {preview ? <img class="attachment-picture" src={preview} alt="" /> : <FileIcon />}
      <span class="file-words">
        <span class="file-name">{file.name}</span>
        <span class="file-about">{aboutFile(file.type, file.size)}</span>
      </span>
      <RemoveButton name={file.name} onClick={onRemove} />
    </li>
  );
}

function Uploading({ upload, onRemove }: { upload: Upload; onRemove: () => void }): JSX.Element {
  const { name, size, sent, problem } = upload;
  return (
    <li class={problem ? "attachment attachment-failed" : "attachment"}>
      <FileIcon />
      <span class="file-words">
        <span class="file-name">{name}</span>
        {problem ? (
          <span class="file-about" role="alert">
            {problem}
          </span>
        ) : (
          <>
            <span class="file-about">{`Uploading, ${sizeWords(size)}`}</span>
            <progress class="file-progress" aria-label={`Uploading ${name}`} max={1} value={sent} />
          </>
        )}
      </span>
      <RemoveButton name={name} onClick={onRemove} />
    </li>
  );
}

/** What goes with the message, and what is wrong with it. */
export function Attachments({ attaching }: { attaching: Attaching }): JSX.Element | null {
  const { tray, problem } = attaching;
  const [files, uploads] = [tray.files.value, tray.uploads.value];
  const large = bytesOf(tray) > LARGE_BYTES;
  return (
    <>
      {files.length || uploads.length ? (
        <ul class="attachments" aria-label="Attached files">
          {files.map((file) => (
            <Attached key={file.id} file={file} onRemove={() => removeFile(tray, file.id)} />
          ))}
          {uploads.map((upload) => (
            <Uploading key={upload.key} upload={upload} onRemove={() => removeUpload(tray, upload.key)} />
          ))}
        </ul>
      ) : null}
      {problem.value ? (
        <p class="attachments-words attachments-problem" role="alert">
          {problem.value}
        </p>
      ) : null}
      {large ? <p class="attachments-words">{`More than ${sizeWords(LARGE_BYTES)}: it may be slow, or be refused by carriers.`}</p> : null}
      <p class="hidden-text" role="status">
        {underWay(tray) ? "Uploading…" : files.length ? `${files.length === 1 ? "1 file" : `${files.length} files`} attached` : ""}
      </p>
    </>
  );
}
