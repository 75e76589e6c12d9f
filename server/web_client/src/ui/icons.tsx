/** The few drawings there are; all take the colour of the text beside them. */
import type { ComponentChildren, JSX } from "preact";

export function Icon({ children, small }: { children: ComponentChildren; small?: boolean }): JSX.Element {
  return (
    <svg
      class={small ? "icon icon-small" : "icon"}
      viewBox="0 0 20 20"
      fill="none"
      stroke="currentColor"
      stroke-width="1.5"
      stroke-linecap="round"
      stroke-linejoin="round"
      aria-hidden="true"
      focusable="false"
    >
      {children}
    </svg>
  );
}

export const path = (d: string, small = false) => (): JSX.Element => (
  <Icon small={small}>
    <path d={d} />
  </Icon>
);

export const InboxIcon = path("M3 11l2.2-6.3A1 1 0 016.1 4h7.8a1 1 0 01.9.7L17 11v4a1 1 0 01-1 1H4a1 1 0 01-1-1zM3 11h4l1 2h4l1-2h4");
export const TalkIcon = path("M4 4h12a1 1 0 011 1v8a1 1 0 01-1 1H9l-4 3v-3H4a1 1 0 01-1-1V5a1 1 0 011-1z");
export const BookIcon = path("M5.5 3H15a1 1 0 011 1v12a1 1 0 01-1 1H5.5zM3.500 7h4M3.500 13h4");
export const AdminIcon = path("M10 2.8l6 2.2v4.6c0 3.6-2.4 6.4-6 7.6-3.6-1.2-6-4-6-7.6V5z");
export const PhoneIcon = path("M6.5 2.5h7a1 1 0 011 1v13a1 1 0 01-1 1h-7a1 1 0 01-1-1v-13a1 1 0 011-1zM9 15h2");
export const SettingsIcon = path("M3 6h8M15 6h2M3 14h2M9 14h8M13 4v4M7 12v4");
export const SignOutIcon = path("M8 4H5a1 1 0 00-1 1v10a1 1 0 001 1h3M12 6.5L15.5 10 12 13.5M15 10H8");
export const SunIcon = path("M10 6.8a3.2 3.2 0 110 6.4 3.2 3.2 0 010-6.4zM10 2.5V4M10 16v1.5M2.5 10H4M16 10h1.5M4.7 4.7l1 1M14.3 14.3l1 1M4.7 15.3l1-1M14.3 5.7l1-1");
export const MoonIcon = path("M16 11.6A6.5 6.5 0 018.4 4 6.5 6.5 0 1016 11.6z");
export const ScreenIcon = path("M3.5 4.5h13v9h-13zM8 16.5h4");
export const AboutIcon = path("M10 3.5a6.5 6.5 0 110 13 6.5 6.5 0 010-13zM10 9.5v4M10 6.5v.1");
export const PlusIcon = path("M10 4.5v11M4.5 10h11");
export const SearchIcon = path("M9 3.5a5.5 5.5 0 110 11 5.5 5.5 0 010-11zM13 13l3.5 3.5");
export const ChevronIcon = path("M6 8l4 4 4-4", true);
export const ClockIcon = path("M10 3.500a6.5 6.5 0 110 13 6.5 6.5 0 010-13zM10 6.500V10l2.5 1.5", true);

/** Filled for mine, an outline for somebody else's: told apart without colour. */
export function FlagIcon({ filled }: { filled: boolean }): JSX.Element {
  return (
    <Icon small>
      <path d="M5 17.500v-14" />
      <path d="M5 4h10.500l-2.5 3.75 2.5 3.750H5z" fill={filled ? "currentColor" : "none"} />
    </Icon>
  );
}
