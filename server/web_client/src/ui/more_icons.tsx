/** Drawings that nothing needs at first sight. */
import type { JSX } from "preact";
import { Icon, path } from "./icons";

export const CloseIcon = path("M5.5 5.5l9 9M14.5 5.5l-9 9");
export const BackIcon = path("M12 4.5L6.5 10l5.5 5.5");
export const CheckIcon = path("M4.5 10.5l3.5 3.5 7.5-8");
export const LockIcon = path("M5.5 9h9a.5.5 0 01.5.5v6a.5.5 0 01-.5.5h-9a.5.5 0 01-.5-.5v-6a.5.5 0 01.5-.5zM7 9V6.500a3 3 0 016 0V9", true);
export const HashIcon = path("M7.5 4l-1 12M13.5 4l-1 12M4 7.5h12.500M3.500 12.500H16", true);
export const PersonIcon = path("M10 4a2.8 2.8 0 110 5.600 2.8 2.8 0 010-5.600zM4.5 16.500c.4-3 2.600-4.500 5.500-4.500s5.100 1.500 5.500 4.500", true);
export const PeopleIcon = path("M7.5 5a2.3 2.3 0 110 4.600 2.3 2.3 0 010-4.600zM3 15.500c.3-2.500 2-3.800 4.500-3.800s4.200 1.300 4.500 3.800M13 5.500a2 2 0 110 4M14 11.800c1.800.3 2.800 1.500 3 3.700", true);
export const DownIcon = path("M10 4v11M5.5 10.500L10 15l4.5-4.5", true);

export const ClipIcon = path("M14.5 9.5l-5 5a2.9 2.9 0 01-4.1-4.100l6-6a2 2 0 012.8 2.8l-6 6a1 1 0 01-1.4-1.4l5-5");
export const FileIcon = path("M6 3h5.5L15 6.5V16a1 1 0 01-1 1H6a1 1 0 01-1-1V4a1 1 0 011-1zM11.5 3v3.5H15");
export const TickIcon = path("M4.5 10.5l3.5 3.5 7.5-8", true);
export const TicksIcon = path("M1.5 10.5l3.5 3.5 7-8M9.5 13.5l.5.5 7-8", true);
export const AlertIcon = path("M10 3.5a6.5 6.5 0 110 13 6.5 6.5 0 010-13zM10 6.5v4M10 13.4v.1", true);

export function MoreIcon(): JSX.Element {
  return (
    <Icon>
      <circle cx="10" cy="4.5" r="1" fill="currentColor" />
      <circle cx="10" cy="10" r="1" fill="currentColor" />
      <circle cx="10" cy="15.5" r="1" fill="currentColor" />
    </Icon>
  );
}
