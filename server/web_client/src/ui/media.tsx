/** The files of a message: pictures to look at, others to open. Never anything that could run here. */
import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { useEffect } from "preact/hooks";
import "../styles/media.css";
import type { MediaRef } from "../contract";
import { look, PAUSES_MS, type Found } from "./fetched";
import { aboutFile, isPicture } from "./file_words";
import { FileIcon } from "./more_icons";
import { previewOf } from "./uploads";

interface FileProps {
  readonly file: MediaRef;
  /** Where it is read from; "" while the message has no number. */
  readonly url: string;
}

interface Asking {
  readonly found: Found | { readonly state: "late" };
  /** The server has been asked at least once. */
  readonly asked: boolean;
  readonly ask: () => void;
}

/** Whether the server has it, asked again with growing pauses while it fetches; at once where its type is known. */
function useFile(file: MediaRef, url: string): Asking {
  const found = useSignal<Asking["found"]>(
    file.type || !url ? { state: "ready", type: file.type, size: file.size } : { state: "waiting", retryMs: 0 },
  );
  const asked = useSignal(file.type ? 0 : 1);
  useEffect(() => {
    if (!asked.value || !url) return;
    const stop = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    const next = async (round: number): Promise<void> => {
      const answer = await look(url);
      if (stop.signal.aborted) return;
      found.value = answer;
      if (answer.state !== "waiting") return;
      const pause = PAUSES_MS[round];
      if (pause === undefined) found.value = { state: "late" };
      else timer = setTimeout(() => void next(round + 1), Math.max(pause, answer.retryMs));
    };
    found.value = { state: "waiting", retryMs: 0 };
    void next(0);
    return () => {
      stop.abort();
      clearTimeout(timer);
    };
  }, [url, asked.value]);
  return { found: found.value, asked: asked.value > 0, ask: () => (asked.value += 1) };
}

function Chip({ file, url, words }: FileProps & { words: string }): JSX.Element {
  const content = (
    <>
      <FileIcon />
      <span class="file-words">
        <span class="file-name">{file.name || "File"}</span>
        <span class="file-about">{words}</span>
      </span>
    </>
  );
  if (!url) return <span class="file">{content}</span>;
  return (
    <a class="file" href={url} target="_blank" rel="noopener" download={file.name || "file"}>
      {content}
    </a>
  );
}

function Picture({ file, url, onBroken }: FileProps & { onBroken: () => void }): JSX.Element {
  const words = file.name ? `Picture: ${file.name}` : "Picture";
  const picture = <img src={previewOf(file.id) || url} alt={words} loading="lazy" decoding="async" onError={onBroken} />;
  if (!url) return <span class="picture">{picture}</span>;
  return (
    <a class="picture" href={url} target="_blank" rel="noopener" download={file.name || "picture"}>
      {picture}
    </a>
  );
}

function File({ file, url }: FileProps): JSX.Element {
  const { found, asked, ask } = useFile(file, url);
  const broken = useSignal(false);
  switch (found.state) {
    case "ready": {
      const known = { ...file, type: found.type, size: found.size || file.size };
      if (isPicture(known.type) && !broken.value && (url || previewOf(file.id))) {
        // Being fetched, or gone: the server says which. There, and still not drawn: a file like others.
        const onBroken = (): void => (asked || !url ? void (broken.value = true) : ask());
        return <Picture file={known} url={url} onBroken={onBroken} />;
      }
      return <Chip file={known} url={url} words={aboutFile(known.type, known.size)} />;
    }
    case "waiting":
      return <Chip file={file} url="" words="Being fetched from the carrier…" />;
    case "gone":
      return <Chip file={file} url="" words={found.words} />;
    case "late":
      return (
        <>
          <Chip file={file} url="" words="Not fetched from the carrier yet." />
          <button type="button" class="link-button" onClick={ask}>
            Look again
          </button>
        </>
      );
  }
}

export function FileList({ files }: { files: readonly FileProps[] }): JSX.Element | null {
  if (!files.length) return null;
  return (
    <ul class="media" aria-label="Attachments">
      {files.map(({ file, url }, at) => (
        <li key={file.id || at}>
          <File file={file} url={url} />
        </li>
      ))}
    </ul>
  );
}

/** The files of a conversation's message; they have an address once it has a number. */
export function Media({ conv, n, files }: { conv: string; n: number; files: readonly MediaRef[] }): JSX.Element | null {
  const of = (at: number): string => (n ? `/v1/conversations/${encodeURIComponent(conv)}/messages/${n}/media/${at}` : "");
  return <FileList files={files.map((file, at) => ({ file, url: of(at) }))} />;
}
