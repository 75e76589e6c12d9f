/** The address book over HTTP. */
import { ask, Problem, type Page } from "./admin/api";
import { readLines } from "./streaming";

export interface Contact {
  readonly id: string;
  readonly name: string;
  /** E.164. */
  readonly numbers: readonly string[];
  readonly note: string;
  readonly rev: number;
}

export interface ContactPage extends Page<Contact> {
  readonly total: number;
}

export interface ContactFields {
  readonly name: string;
  readonly numbers: readonly string[];
  readonly note: string;
}

/** What became, or would become, of a line of a file. */
export interface ImportLine {
  readonly kind: "line";
  readonly line: number;
  readonly outcome: "created" | "updated" | "unchanged" | "error";
  readonly name: string;
  readonly error: string;
}

export interface ImportEnd {
  readonly kind: "end";
  readonly created: number;
  readonly updated: number;
  readonly unchanged: number;
  readonly error: number;
}

const ALL = "/v1/contacts";
const of = (contact: string): string => `${ALL}/${encodeURIComponent(contact)}`;

export const EXPORT = `${ALL}/export`;

/** By name; `begins` is how a name, a word of one or a number begins. */
export const contacts = (begins: string, after: string, limit = 50): Promise<ContactPage> =>
  ask<ContactPage>("GET", `${ALL}?${new URLSearchParams({ q: begins, after, limit: String(limit) })}`);

/** Whose number it is; undefined: nobody's. */
export async function holder(number: string): Promise<Contact | undefined> {
  const { numbers } = await ask<{ numbers: Record<string, Contact> }>("GET", `${ALL}/lookup?numbers=${encodeURIComponent(number)}`);
  return numbers[number];
}

export const addContact = (fields: ContactFields): Promise<Contact> => ask("POST", ALL, fields);

/** Refused when it has changed since `rev`. */
export const changeContact = ({ id, rev }: Contact, fields: ContactFields): Promise<Contact> => ask("PATCH", of(id), { ...fields, rev });
export const deleteContact = (contact: string): Promise<void> => ask("DELETE", of(contact));
export const mergeContacts = (into: string, gone: string): Promise<Contact> => ask("POST", `${of(into)}/merge`, { contact: gone });

interface ImportOptions {
  /** Where numbers without + are from, "" for nowhere. */
  readonly region: string;
  /** Nothing is written; told all the same what would be. */
  readonly dry: boolean;
  readonly line: (line: ImportLine) => void;
  readonly signal: AbortSignal;
}

/** Rejects with a Problem, also when the answer breaks off. */
export async function importContacts(file: Blob, { region, dry, line, signal }: ImportOptions): Promise<ImportEnd> {
  const query = new URLSearchParams({ dry_run: String(dry), ...(region ? { region } : {}) });
  let end: ImportEnd | null = null;
  const heard = (text: string): void => {
    const said = JSON.parse(text) as ImportLine | ImportEnd;
    if (said.kind === "end") end = said;
    else line(said);
  };
  await readLines(`${ALL}/import?${query}`, { method: "POST", body: file, headers: { "content-type": "text/csv" }, signal }, heard);
  if (end === null) throw new Problem("internal", "The server stopped in the middle of the file. Send it again: what is done already stays as it is.");
  return end;
}
