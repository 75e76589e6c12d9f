/** What was found as groups of things to choose from. */
import type { Found, FoundMessage, FoundRoom, FoundRow, Index } from "./search_api";

type Marks = readonly (readonly [number, number])[];

export interface Piece {
  readonly text: string;
  readonly marked: boolean;
}

/** Where a choice leads. */
export type Target =
  | { readonly to: "conversation"; readonly conv: string; readonly done: boolean; readonly line: number }
  | { readonly to: "contact"; readonly number: string }
  | { readonly to: "contacts" | "channels" }
  | { readonly to: "person"; readonly user: string };

export interface Choice {
  readonly id: string;
  readonly pieces: readonly Piece[];
  /** Where or whose it is. */
  readonly about: string;
  /** Of a message, epoch ms; 0 for none. */
  readonly atMs: number;
  readonly target: Target;
}

export interface Group {
  readonly title: string;
  readonly choices: readonly Choice[];
}

/** Names of what has only an id or a number. */
export interface Names {
  customer(number: string): string;
  inbox(id: string): string;
  person(id: string): string;
  readonly me: string;
}

/** Whether there is anything to search for; the server refuses the rest. */
export const searchable = (words: string): boolean => /[\p{L}\p{N}]/u.test(words);

/** Marks count code points, not what strings of this language count. */
export function piecesOf(excerpt: string, marks: Marks): readonly Piece[] {
  const points = [...excerpt];
  const found: Piece[] = [];
  let from = 0;
  const add = (to: number, marked: boolean): void => {
    const text = points.slice(from, to).join("");
    if (text) found.push({ text, marked });
    from = Math.max(from, to);
  };
  for (const [start, end] of marks) {
    add(start, false);
    add(end, true);
  }
  add(points.length, false);
  return found;
}

export function roomTitle({ kind, name, people }: FoundRoom, names: Names): string {
  if (kind !== "direct") return `# ${name}`;
  const other = people.find((id) => id !== names.me);
  return other ? names.person(other) : `${names.person(names.me)} (you)`;
}

const conversationOf = ({ id, status }: FoundRow, line = 0): Target => ({ to: "conversation", conv: id, done: status === "done", line });

function messageOf(found: FoundMessage, names: Names): Choice {
  const { conv, n, at_ms, conversation, room, excerpt, marks } = found;
  const about = room ? roomTitle(room, names) : conversation ? `${names.customer(conversation.customer)} · ${names.inbox(conversation.inbox)}` : "";
  const target: Target = conversation ? conversationOf(conversation, n) : { to: "conversation", conv, done: false, line: n };
  return { id: `message-${conv}-${n}`, pieces: piecesOf(excerpt, marks), about, atMs: at_ms, target };
}

/** Found by the number: it, and whose it is. Found by the contact's name: the name. */
function whose({ customer, inbox, status }: FoundRow, excerpt: string, marks: Marks, names: Names): Pick<Choice, "pieces" | "about"> {
  const name = names.customer(customer);
  const where = status === "done" ? `${names.inbox(inbox)} · done` : names.inbox(inbox);
  if (marks.length === 0) return { pieces: [{ text: name, marked: false }], about: where };
  return { pieces: piecesOf(excerpt, marks), about: name.startsWith("+") ? where : `${name} · ${where}` };
}

/** In the order in which they are read; empty groups are left out. */
export function groupsOf(found: Found, names: Names): readonly Group[] {
  const groups: Group[] = [
    { title: "Messages", choices: found.messages.map((one) => messageOf(one, names)) },
    {
      title: "Conversations",
      choices: found.conversations.map(({ conversation, excerpt, marks }) => ({
        id: `conversation-${conversation.id}`,
        ...whose(conversation, excerpt, marks, names),
        atMs: 0,
        target: conversationOf(conversation),
      })),
    },
    {
      title: "Contacts",
      choices: found.contacts.map(({ contact, excerpt, marks }) => {
        const [number] = contact.numbers;
        return {
          id: `contact-${contact.id}`,
          pieces: piecesOf(excerpt, marks),
          about: excerpt.startsWith(contact.name) ? "" : contact.name,
          atMs: 0,
          target: number ? { to: "contact" as const, number } : { to: "contacts" as const },
        };
      }),
    },
    {
      title: "Channels",
      choices: found.channels.map(({ id, excerpt, marks, member }) => ({
        id: `channel-${id}`,
        pieces: piecesOf(excerpt, marks),
        about: member ? "" : "not joined",
        atMs: 0,
        target: member ? { to: "conversation" as const, conv: id, done: false, line: 0 } : { to: "channels" as const },
      })),
    },
    {
      title: "People",
      choices: found.people.map(({ id, excerpt, marks }) => ({
        id: `person-${id}`,
        pieces: piecesOf(excerpt, marks),
        about: id,
        atMs: 0,
        target: { to: "person" as const, user: id },
      })),
    },
  ];
  return groups.filter(({ choices }) => choices.length > 0);
}

/** "The index is being built: 42 %."; "" when it is complete. With all read, what was found is in an archive that is away. */
export function indexWords({ complete, done, total }: Index): string {
  if (complete) return "";
  const share = total > 0 ? Math.floor((100 * done) / total) : 0;
  const what = share < 100 ? `The index is being built: ${share} %.` : "Not everything can be looked through now.";
  return `${what} There may be more than what is found.`;
}

/** For who does not see the list. */
export function countWords(groups: readonly Group[]): string {
  const count = groups.reduce((sum, { choices }) => sum + choices.length, 0);
  if (!count) return "Nothing found.";
  const parts = groups.map(({ title, choices }) => `${title} ${choices.length}`);
  return `${count} found: ${parts.join(", ")}. Arrow keys choose, Enter opens.`;
}
