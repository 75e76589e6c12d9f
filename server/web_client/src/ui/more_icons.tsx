/** Drawings that nothing needs at first sight. */
import type { JSX } from "preact";
import { Icon, path } from "./icons";

export const CloseIcon = path("M5.5 5.5l9 9M14.5 5.5l-9 9");
export const BackIcon = path("M12 4.5L6.5 10l5.5 5.5");
export const CheckIcon = path("M4.5 10.5l3.5 3.5 7.5-8");
export const NoteIcon = path("M5 3.5h10a.5.5 0 01.5.5v8.5l-3.5 4H5a.5.5 0 01-.5-.5V4a.5.5 0 01.5-.5zM15.5 12.500H12v4", true);
export const DownIcon = path("M10 4v11M5.5 10.500L10 15l4.5-4.5", true);

export function MoreIcon(): JSX.Element {
  return (
    <Icon>
      <circle cx="10" cy="4.5" r="1" fill="currentColor" />
      <circle cx="10" cy="10" r="1" fill="currentColor" />
      <circle cx="10" cy="15.5" r="1" fill="currentColor" />
    </Icon>
  );
}
