/** The left edge: where one can go, what waits there, and who is signed in. */
import type { JSX } from "preact";
import type { Totals } from "../contract";
import { Avatar, Hidden, TotalBadges } from "./bits";
import { useShared, useStore } from "./context";
import { capped } from "./format";
import { openDialog } from "./dialog_state";
import { AdminIcon, BookIcon, InboxIcon, MoonIcon, PhoneIcon, ScreenIcon, SettingsIcon, SignOutIcon, SunIcon, TalkIcon } from "./icons";
import { theme, type Theme } from "./prefs";
import { PresenceDot } from "./presence";
import { address, follow, route, type Page } from "./route";

interface LinkProps {
  readonly to: Page;
  readonly label: string;
  readonly icon: JSX.Element;
  readonly totals?: Totals;
}

function NavLink({ to, label, icon, totals }: LinkProps): JSX.Element {
  const change = to === "inboxes" ? { page: to, inbox: null, conv: "" } : { page: to, conv: "", section: "" };
  const active = route.value.page === to;
  return (
    <a class="nav-link" href={address(change)} onClick={follow(change)} aria-current={active ? "page" : undefined}>
      {icon}
      <span class="nav-label">{label}</span>
      {totals ? <TotalBadges totals={totals} /> : to === "interactions" ? <RoomTotals /> : null}
    </a>
  );
}

/** Rooms with something new: no customer waits there, so it counts neither here nor in the title with the inboxes. */
function RoomTotals(): JSX.Element | null {
  const { unread, mentions } = useStore().roomTotals.value;
  if (!unread) return null;
  return (
    <span class="total-badges">
      <span class="badge badge-room" data-total="rooms" aria-hidden="true">
        {mentions ? `@${capped(unread)}` : capped(unread)}
      </span>
      <Hidden>{` ${unread} with new messages${mentions ? `, ${mentions} name you` : ""}`}</Hidden>
    </span>
  );
}

function InboxLink({ id, name, joined }: { id: string; name: string; joined: boolean }): JSX.Element {
  const store = useStore();
  const change = { page: "inboxes", inbox: id, conv: "" } as const;
  const active = route.value.page === "inboxes" && route.value.inbox === id;
  return (
    <a class="nav-link nav-inbox" href={address(change)} onClick={follow(change)} aria-current={active ? "true" : undefined}>
      <span class="nav-label">{name}</span>
      {joined ? <TotalBadges totals={store.totalsOf(id).value} /> : <span class="nav-aside">not joined</span>}
    </a>
  );
}

const NEXT_THEME: Readonly<Record<Theme, Theme>> = { system: "light", light: "dark", dark: "system" };

function ThemeButton(): JSX.Element {
  const icon = { system: <ScreenIcon />, light: <SunIcon />, dark: <MoonIcon /> }[theme.value];
  const label = `Theme: ${theme.value}`;
  return (
    <button type="button" class="icon-button" title={label} aria-label={label} onClick={() => (theme.value = NEXT_THEME[theme.value])}>
      {icon}
    </button>
  );
}

const LINK_WORDS = { connecting: "Connecting…", live: "Live", waiting: "Reconnecting", offline: "Offline", signed_out: "Signed out", stopped: "Stopped" };

function Me(): JSX.Element | null {
  const store = useStore();
  const me = store.me.value;
  if (!me) return null;
  const { state } = store.link.value;
  const { away } = store.availability.value;
  const does = away ? "You are away…" : "Set as away…";
  return (
    <div class="nav-me">
      <button type="button" class="nav-self" title={does} aria-haspopup="dialog" onClick={() => openDialog({ kind: "availability" })}>
        <span class="nav-face">
          <Avatar name={me.name} />
          <PresenceDot state={away ? "away" : "online"} words={away ? "Away" : "Available"} />
        </span>
        <span class="nav-who">
          <span class="nav-name">{me.name}</span>
          <span class="nav-role">
            {away ? "Away" : me.role === "admin" ? "Admin" : "Member"}
            <span class={`link-state link-${state}`}>{LINK_WORDS[state]}</span>
          </span>
        </span>
        <Hidden>{does}</Hidden>
      </button>
      <ThemeButton />
      <button type="button" class="icon-button" title="Sign out" aria-label="Sign out" onClick={() => void store.signOut()}>
        <SignOutIcon />
      </button>
    </div>
  );
}

export function Nav(): JSX.Element {
  const { store, about } = useShared();
  const admin = store.me.value?.role === "admin";
  return (
    <nav class="nav" aria-label="Main">
      <div class="brand" aria-hidden="true">batonbox</div>
      <div class="nav-links">
        <NavLink to="inboxes" label="Inboxes" icon={<InboxIcon />} totals={store.totals.value} />
        <div class="nav-inboxes">
          {store.inboxes.value.map(({ id, name, joined }) => (
            <InboxLink key={id} id={id} name={name} joined={joined} />
          ))}
        </div>
        <NavLink to="interactions" label="Interactions" icon={<TalkIcon />} />
        <NavLink to="contacts" label="Contacts" icon={<BookIcon />} />
        {admin ? <NavLink to="admin" label="Admin" icon={<AdminIcon />} /> : null}
        {about.simulator ? <NavLink to="phone" label="Phone" icon={<PhoneIcon />} /> : null}
        <NavLink to="settings" label="Settings" icon={<SettingsIcon />} />
      </div>
      {about.demo ? <p class="nav-demo">Demo, with simulated phones</p> : null}
      <Me />
    </nav>
  );
}
