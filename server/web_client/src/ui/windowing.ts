/**
 * Which rows of a long list stand in the document. Sections lie one after the other in one
 * scroll container: a head of fixed height, then rows of fixed height.
 */

export interface SectionShape {
  /** Rows shown; 0 while collapsed. */
  readonly rows: number;
  /** What follows the rows: an explanation when empty, a skeleton while more is to come. */
  readonly tail: number;
}

export interface Slice {
  /** Where the section's head begins. */
  readonly top: number;
  /** Where its rows begin. */
  readonly bodyTop: number;
  readonly bodyHeight: number;
  /** Rows from (inclusive) and to (exclusive) stand in the document. */
  readonly from: number;
  readonly to: number;
}

export interface Sizes {
  readonly head: number;
  readonly row: number;
  readonly overscan: number;
}

/** Never more than this, however tall the window. */
export const ROWS_MAX = 56;

export function slices(
  shapes: readonly SectionShape[],
  sizes: Sizes,
  scrollTop: number,
  height: number,
): readonly Slice[] {
  const found: Slice[] = [];
  let top = 0;
  let left = ROWS_MAX;
  for (const shape of shapes) {
    const bodyTop = top + sizes.head;
    const bodyHeight = shape.rows * sizes.row + shape.tail;
    const first = Math.floor((scrollTop - bodyTop) / sizes.row) - sizes.overscan;
    const last = Math.ceil((scrollTop + height - bodyTop) / sizes.row) + sizes.overscan;
    const from = Math.min(Math.max(0, first), shape.rows);
    const to = Math.max(from, Math.min(shape.rows, last, from + left));
    left -= to - from;
    found.push({ top, bodyTop, bodyHeight, from, to });
    top = bodyTop + bodyHeight;
  }
  return found;
}

export interface Held {
  readonly scrollTop: number;
  /** Empty space above the list that it takes to keep the row where it is. */
  readonly lead: number;
}

/**
 * Scrolled so that a row which lay at `before` and lies at `after` now (both without `lead`)
 * stays where it is on the screen. Above the list's beginning only empty space is left.
 */
export function hold(before: number, after: number, scrollTop: number, lead: number): Held {
  const wanted = scrollTop - lead + (after - before);
  return wanted >= 0 ? { scrollTop: wanted, lead: 0 } : { scrollTop: 0, lead: -wanted };
}

/** The scrollTop that shows [top, top + size) below `above` covered pixels; unchanged if it is in sight. */
export function reveal(top: number, size: number, scrollTop: number, height: number, above: number, below: number): number {
  if (top - above < scrollTop) return Math.max(0, top - above);
  if (top + size + below > scrollTop + height) return top + size + below - height;
  return scrollTop;
}
