/** How many text messages a carrier makes of a text. */

const GSM =
  "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?" +
  "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà";
/** Each takes two places: the escape and itself. */
const GSM_EXTENSION = "\f^{}\\[~]|€";

export interface Segments {
  readonly encoding: "GSM-7" | "UCS-2";
  /** Places used, in septets or in 16-bit units. */
  readonly used: number;
  /** Places there are in as many segments as it takes. */
  readonly room: number;
  /** 0 for no text at all. */
  readonly count: number;
}

/** A character of two places is never cut in two: a place may stay empty at a segment's end. */
function pack(widths: readonly number[], single: number, each: number): { used: number; count: number } {
  let used = 0;
  for (const width of widths) used += width;
  if (used <= single) return { used, count: used > 0 ? 1 : 0 };
  let count = 1;
  let filled = 0;
  for (const width of widths) {
    if (filled + width > each) {
      count += 1;
      filled = 0;
    }
    filled += width;
  }
  return { used: (count - 1) * each + filled, count };
}

function gsmWidths(characters: readonly string[]): number[] | null {
  const widths: number[] = [];
  for (const character of characters) {
    if (GSM.includes(character)) widths.push(1);
    else if (GSM_EXTENSION.includes(character)) widths.push(2);
    else return null;
  }
  return widths;
}

export function segments(text: string): Segments {
  const characters = [...text];
  const gsm = gsmWidths(characters);
  const [single, each] = gsm ? [160, 153] : [70, 67];
  const { used, count } = pack(gsm ?? characters.map((c) => c.length), single, each);
  return {
    encoding: gsm ? "GSM-7" : "UCS-2",
    used,
    room: count > 1 ? count * each : single,
    count,
  };
}

/** "142/160 · 1 SMS" */
export function counter(text: string): string {
  const { used, room, count } = segments(text);
  return `${used}/${room} · ${Math.max(1, count)} SMS`;
}
