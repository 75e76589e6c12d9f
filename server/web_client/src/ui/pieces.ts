/** Links in a message. */

export interface Piece {
  readonly text: string;
  /** Where it leads; "" for plain text. */
  readonly href: string;
}

const LINK = /https?:\/\/[^\s<>"']+[^\s<>"'.,;:!?)\]}]/g;

/** Text cut into plain pieces and http(s) links; never markup. */
export function pieces(text: string): readonly Piece[] {
  const found: Piece[] = [];
  let from = 0;
  for (const match of text.matchAll(LINK)) {
    if (!URL.canParse(match[0])) continue;
    if (match.index > from) found.push({ text: text.slice(from, match.index), href: "" });
    found.push({ text: match[0], href: match[0] });
    from = match.index + match[0].length;
  }
  if (from < text.length) found.push({ text: text.slice(from), href: "" });
  return found;
}
