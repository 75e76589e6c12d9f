/** Calling colleagues by "@name": what is being typed, who fits, and whom a text names. */

export interface Named {
  readonly id: string;
  readonly name: string;
}

/** A name of somebody in a text, with its "@". */
export interface Call {
  readonly from: number;
  readonly to: number;
  /** More than one where a first name is shared. */
  readonly ids: readonly string[];
}

const SHOWN_MAX = 6;
/** Names have spaces: so far back an "@" may begin the name that is being typed. */
const NAME_MAX = 60;
const WORD = /[\p{L}\p{N}_]/u;

/** Case and accents do not count. */
const folded = (text: string): string => text.normalize("NFKD").replace(/\p{M}/gu, "").toLocaleLowerCase();

/** Whether an "@" here begins a name: not within an address or a word. */
const begins = (text: string, at: number): boolean => at === 0 || !/[\p{L}\p{N}_.]/u.test(text[at - 1] ?? "");

/** What is typed behind the last "@" before the caret; null where no name is being typed. */
export function typing(text: string, caret: number): { readonly from: number; readonly words: string } | null {
  const from = text.lastIndexOf("@", caret - 1);
  if (caret < 1 || from < 0 || caret - from > NAME_MAX || !begins(text, from)) return null;
  const words = text.slice(from + 1, caret);
  return /[\n@]|^\s/.test(words) ? null : { from, words };
}

/** Whom these words may mean: a beginning of the name, of one of its words, or of the id. */
export function matching<P extends Named>(people: Iterable<P>, words: string): P[] {
  const asked = folded(words);
  const ranked: [number, P][] = [];
  for (const person of people) {
    const name = folded(person.name);
    if (name.startsWith(asked)) ranked.push([0, person]);
    else if (name.split(/[\s-]+/).some((word) => word.startsWith(asked)) || folded(person.id).startsWith(asked)) ranked.push([1, person]);
  }
  ranked.sort(([a, one], [b, other]) => a - b || one.name.localeCompare(other.name));
  return ranked.slice(0, SHOWN_MAX).map(([, person]) => person);
}

/** The text with what was typed from `from` to the caret replaced by the name, and the caret behind it. */
export function inserted(text: string, from: number, caret: number, chosen: Named, people: Iterable<Named>): { readonly text: string; readonly caret: number } {
  const name = folded(chosen.name);
  const shared = [...people].some((other) => other.id !== chosen.id && folded(other.name) === name);
  const rest = text.slice(caret);
  const call = `@${shared ? chosen.id : chosen.name}${/^\s/.test(rest) ? "" : " "}`;
  return { text: text.slice(0, from) + call + rest, caret: from + call.length + (/^\s/.test(rest) ? 1 : 0) };
}

/** Whether a name may end here: "@dee." and "@dee's" call Dee, "@deeper" and "@dee.example" do not. */
function ends(text: string, at: number): boolean {
  const next = text[at] ?? "";
  if (WORD.test(next)) return false;
  return !/[.-]/.test(next) || !WORD.test(text[at + 1] ?? "");
}

/** By what people can be called: whole name, first name, id. */
function callable(people: Iterable<Named>): Map<string, string[]> {
  const keys = new Map<string, string[]>();
  for (const { id, name } of people) {
    const [first = ""] = name.split(" ");
    for (const key of new Set([name, first, id].map((word) => word.toLocaleLowerCase()))) {
      if (key) keys.set(key, [...(keys.get(key) ?? []), id]);
    }
  }
  return keys;
}

/** Where the text calls whom; of several names that fit, the longest is meant. */
export function calls(text: string, people: Iterable<Named>): readonly Call[] {
  if (!text.includes("@")) return [];
  const keys = [...callable(people)].sort(([a], [b]) => b.length - a.length);
  const found: Call[] = [];
  for (let at = text.indexOf("@"); at >= 0; at = text.indexOf("@", at + 1)) {
    if (!begins(text, at)) continue;
    const fits = ([key]: [string, string[]]): boolean =>
      text.slice(at + 1, at + 1 + key.length).toLocaleLowerCase() === key && ends(text, at + 1 + key.length);
    const meant = keys.find(fits);
    if (meant) found.push({ from: at, to: at + 1 + meant[0].length, ids: meant[1] });
  }
  return found;
}

/** Ids of those whom a text calls. */
export const mentioned = (text: string, people: Iterable<Named>): string[] => [...new Set(calls(text, people).flatMap(({ ids }) => ids))];
