/** The elements that keys and acts bring the focus to, while they are in the document. */

export interface Places {
  composer: HTMLElement | null;
  filter: HTMLInputElement | null;
  search: HTMLInputElement | null;
  /** Brings the focus to a conversation's row, or to the list. */
  list: ((conv: string) => void) | null;
  /** Steps through the list and opens what comes next. */
  step: ((by: 1 | -1) => void) | null;
  log: HTMLElement | null;
  /** Does what a choice of the open conversation's menu does, if it is there now. */
  act: ((id: string) => void) | null;
  /** Begins a reply, where one may be written, or an internal note. */
  write: ((what: "reply" | "note") => void) | null;
}

export const places: Places = { composer: null, filter: null, search: null, list: null, step: null, log: null, act: null, write: null };

/** A ref that keeps its place while mounted. */
export function at<K extends "composer" | "filter" | "search" | "log">(place: K): (element: Places[K]) => void {
  return (element) => {
    places[place] = element;
  };
}

const FRAMES_MAX = 60;
/** For so many frames what is typed is taken to be for where the focus will be. */
const COMING_FRAMES = 10;

let coming = 0;

/** The focus is on its way somewhere: letters are meant for where it will be. */
export const focusComes = (): boolean => coming > 0;

/**
 * Once what the act brought about is there: after the next rendering, or as soon as what it takes
 * has been loaded; given up when somebody moves the focus elsewhere meanwhile.
 */
export function focusSoon(find: () => HTMLElement | null): void {
  const from = document.activeElement;
  let frames = 0;
  const stays = (): boolean => document.activeElement === from || document.activeElement === document.body;
  const look = (): void => {
    const found = find();
    const more = !found && ++frames < FRAMES_MAX && stays();
    if (frames === COMING_FRAMES || (!more && frames < COMING_FRAMES)) coming--;
    if (more) requestAnimationFrame(look);
    else found?.focus({ preventScroll: true });
  };
  coming++;
  requestAnimationFrame(() => requestAnimationFrame(look));
}
