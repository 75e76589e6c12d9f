/** Files on their way to the server, to go with a message that is being written. */
import { signal, type Signal } from "@preact/signals";
import type { MediaRef } from "../contract";
import { isPicture } from "./file_words";

export const FILES_MAX = 10;
export const BYTES_MAX = 5 * 1024 * 1024;
/** Beyond it some carriers are slow, shrink what they get, or refuse it. */
export const LARGE_BYTES = 500_000;
/** What the server takes, for the browser's file dialog. */
export const ACCEPT = "image/jpeg,image/png,image/gif,image/webp,video/mp4,video/3gpp,audio/*,application/pdf,text/vcard,.vcf,text/plain";

const TIMEOUT_MS = 120_000;
const DELAYS_MAX = 10;
const TRAYS_MAX = 100;
const PREVIEWS_MAX = 40;

export interface Upload {
  readonly key: string;
  readonly name: string;
  readonly size: number;
  /** 0 to 1. */
  readonly sent: number;
  /** Why it is not there, for people; "" while it is on its way. */
  readonly problem: string;
}

/** What will go with one message: what the server has, and what is on its way to it. */
export interface Tray {
  readonly files: Signal<readonly MediaRef[]>;
  readonly uploads: Signal<readonly Upload[]>;
}

const trays = new Map<string, Signal<readonly Upload[]>>();
const requests = new Map<string, XMLHttpRequest>();
const previews = new Map<string, string>();
let last = 0;

/** The same for the same place: it goes on while another conversation is open. */
export function uploadsOf(place: string): Signal<readonly Upload[]> {
  const kept = trays.get(place) ?? signal<readonly Upload[]>([]);
  trays.delete(place);
  trays.set(place, kept);
  for (const [oldest, uploads] of trays) {
    if (trays.size <= TRAYS_MAX) break;
    if (!uploads.peek().length) trays.delete(oldest);
  }
  return kept;
}

export const underWay = (tray: Tray): boolean => tray.uploads.value.some(({ problem }) => !problem);

/** Something that somebody chose is not there. */
export const lacking = (tray: Tray): boolean => tray.uploads.value.some(({ problem }) => problem !== "");

export const bytesOf = (tray: Tray): number =>
  [...tray.files.value, ...tray.uploads.value.filter(({ problem }) => !problem)].reduce((sum, { size }) => sum + size, 0);

/** What is shown of a picture that this page sent itself; "" for others. */
export const previewOf = (id: string): string => previews.get(id) ?? "";

function remember(id: string, file: File): void {
  previews.set(id, URL.createObjectURL(file));
  for (const [oldest, url] of previews) {
    if (previews.size <= PREVIEWS_MAX) return;
    URL.revokeObjectURL(url);
    previews.delete(oldest);
  }
}

/** Which of these fit beside what is there; the first that does not ends it, and `why` says so. */
export function fitting<F extends { readonly name: string; readonly size: number }>(
  there: { readonly count: number; readonly bytes: number },
  files: readonly F[],
): { readonly taken: readonly F[]; readonly why: string } {
  let { count, bytes } = there;
  const taken: F[] = [];
  for (const file of files) {
    if (count + 1 > FILES_MAX) return { taken, why: `A message takes up to ${FILES_MAX} files. ${file.name} was left out.` };
    if (bytes + file.size > BYTES_MAX) return { taken, why: `The files of a message may have 5 MB together. ${file.name} was left out.` };
    count += 1;
    bytes += file.size;
    taken.push(file);
  }
  return { taken, why: "" };
}

/** Begins to upload what fits; the words to say when something does not, else "". */
export function add(tray: Tray, files: readonly File[]): string {
  forgetFailed(tray);
  const count = tray.files.peek().length + tray.uploads.peek().length;
  const { taken, why } = fitting({ count, bytes: bytesOf(tray) }, files);
  for (const file of taken) begin(tray, file);
  return why;
}

export function removeUpload(tray: Tray, key: string): void {
  tray.uploads.value = tray.uploads.peek().filter((upload) => upload.key !== key);
  queue = queue.filter((job) => job.key !== key);
  requests.get(key)?.abort();
}

export function removeFile(tray: Tray, id: string): void {
  tray.files.value = tray.files.peek().filter((file) => file.id !== id);
}

function forgetFailed(tray: Tray): void {
  tray.uploads.value = tray.uploads.peek().filter(({ problem }) => !problem);
}

/** Given up: what is on its way stops. */
export function clear(tray: Tray): void {
  for (const { key } of tray.uploads.peek()) removeUpload(tray, key);
}

interface Job {
  readonly tray: Tray;
  readonly key: string;
  readonly file: File;
  /** How often the server has put it off. */
  delays: number;
}

/** One after the other: so they keep their order, and the server takes few of one person's at once. */
let queue: Job[] = [];
let running = false;

function begin(tray: Tray, file: File): void {
  const key = `u${++last}`;
  tray.uploads.value = [...tray.uploads.peek(), { key, name: file.name, size: file.size, sent: 0, problem: "" }];
  queue.push({ tray, key, file, delays: 0 });
  next();
}

function next(): void {
  if (running) return;
  const job = queue.shift();
  if (job) send(job);
}

function change({ tray, key }: Job, to: Partial<Upload>): void {
  tray.uploads.value = tray.uploads.peek().map((upload) => (upload.key === key ? { ...upload, ...to } : upload));
}

function send(job: Job): void {
  const { key, file } = job;
  const request = new XMLHttpRequest(); // fetch does not tell how far it has come
  requests.set(key, request);
  running = true;
  request.open("POST", `/v1/media?name=${encodeURIComponent(file.name)}`);
  request.setRequestHeader("content-type", file.type || "application/octet-stream");
  request.timeout = TIMEOUT_MS;
  request.upload.onprogress = ({ loaded, total }) => change(job, { sent: total ? loaded / total : 0 });
  request.onerror = () => change(job, { problem: "The server cannot be reached." });
  request.ontimeout = () => change(job, { problem: "That took too long." });
  request.onload = () => answered(job, request);
  request.onloadend = () => {
    running = false;
    requests.delete(key);
    next();
  };
  request.send(file);
}

function answered(job: Job, request: XMLHttpRequest): void {
  const { tray, key, file } = job;
  const said = answerOf(request);
  if (request.status === 429 && job.delays < DELAYS_MAX) {
    job.delays += 1;
    setTimeout(() => {
      if (tray.uploads.peek().some((upload) => upload.key === key)) queue.push(job);
      next();
    }, 1000 * (Number(request.getResponseHeader("retry-after")) || 1));
    return;
  }
  if (request.status !== 201 || !said.id) return change(job, { problem: said.detail ?? `The server refused it (${request.status}).` });
  const { id, type = "", size = file.size, name = file.name } = said;
  if (isPicture(type)) remember(id, file);
  tray.files.value = [...tray.files.peek(), { id, type, size, name }];
  tray.uploads.value = tray.uploads.peek().filter((upload) => upload.key !== key);
}

function answerOf(request: XMLHttpRequest): Partial<MediaRef> & { readonly detail?: string } {
  try {
    return JSON.parse(request.responseText) as Partial<MediaRef>;
  } catch {
    return {};
  }
}
