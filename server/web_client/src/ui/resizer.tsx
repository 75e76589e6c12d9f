/** The edge between list and conversation, movable by pointer and by arrow keys. */
import type { JSX } from "preact";
import { listWidth } from "./prefs";
import { rem } from "./screen";

export const WIDTH_MIN = 17;
export const WIDTH_MAX = 36;

const bounded = (width: number): number => Math.min(WIDTH_MAX, Math.max(WIDTH_MIN, Math.round(width * 4) / 4));

export function Resizer(): JSX.Element {
  const drag = (event: PointerEvent): void => {
    const handle = event.currentTarget as HTMLElement;
    const from = event.clientX - listWidth.peek() * rem.peek();
    handle.setPointerCapture(event.pointerId);
    handle.onpointermove = (move) => (listWidth.value = bounded((move.clientX - from) / rem.peek()));
    handle.onpointerup = handle.onpointercancel = () => {
      handle.onpointermove = handle.onpointerup = handle.onpointercancel = null;
    };
  };
  const keys = (event: KeyboardEvent): void => {
    const to: Record<string, number> = {
      ArrowLeft: listWidth.peek() - 1,
      ArrowRight: listWidth.peek() + 1,
      Home: WIDTH_MIN,
      End: WIDTH_MAX,
    };
    const next = to[event.key];
    if (next === undefined) return;
    event.preventDefault();
    listWidth.value = bounded(next);
  };
  return (
    <div
      class="resizer"
      role="separator"
      aria-orientation="vertical"
      aria-label="Width of the list"
      aria-valuemin={WIDTH_MIN}
      aria-valuemax={WIDTH_MAX}
      aria-valuenow={Math.round(listWidth.value)}
      tabIndex={0}
      onPointerDown={drag}
      onKeyDown={keys}
      onDblClick={() => (listWidth.value = 22.5)}
    />
  );
}
