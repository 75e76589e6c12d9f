/** Small things used in many places. */
import { type JSX } from "preact";
import { useEffect, useState } from "preact/hooks";
import type { ConversationView, Totals } from "../contract";
import { useStore, nameOf } from "./context";
import { capped, initials } from "./format";
import { FlagIcon } from "./icons";
import { totalsWords } from "./words";

export function Hidden({ children }: { children: string }): JSX.Element {
  return <span class="hidden-text">{children}</span>;
}

/** Whose it is, by shape, colour and text. */
export function Flag({ view }: { view: ConversationView }): JSX.Element | null {
  const store = useStore();
  if (view.flag === "none") return null;
  const mine = view.flag === "mine";
  const owner = nameOf(store, view.row.assignee);
  return (
    <span class={`flag flag-${view.flag}`} data-flag={view.flag} title={mine ? "Assigned to you" : `Assigned to ${owner}`}>
      <FlagIcon filled={mine} />
      {mine ? null : <span class="flag-initials" aria-hidden="true">{initials(owner)}</span>}
      <Hidden>{mine ? "Assigned to you" : `Assigned to ${owner}`}</Hidden>
    </span>
  );
}

/** New for me: blue and round while unassigned, green and square when mine. */
export function Badge({ view }: { view: ConversationView }): JSX.Element | null {
  if (view.badge === "none") return null;
  const words = view.badge === "blue" ? "New, unassigned" : "New for you";
  return (
    <span class={`badge badge-${view.badge}`} data-badge={view.badge} title={words}>
      {capped(Math.max(1, view.count))}
      <Hidden>{` ${words}`}</Hidden>
    </span>
  );
}

/** The totals of a tab or an inbox. */
export function TotalBadges({ totals }: { totals: Totals }): JSX.Element | null {
  const { blue, green } = totals;
  if (!blue && !green) return null;
  return (
    <span class="total-badges" title={totalsWords(blue, green)}>
      {blue ? <span class="badge badge-blue" data-total="blue" aria-hidden="true">{capped(blue)}</span> : null}
      {green ? <span class="badge badge-green" data-total="green" aria-hidden="true">{capped(green)}</span> : null}
      <Hidden>{` ${totalsWords(blue, green)}`}</Hidden>
    </span>
  );
}

export function Avatar({ name }: { name: string }): JSX.Element {
  return <span class="avatar" aria-hidden="true">{initials(name)}</span>;
}

/** Something to press, with a key that does the same. */
export function Key({ children }: { children: string }): JSX.Element {
  return <kbd class="key" aria-hidden="true">{children}</kbd>;
}

/** True once `active` has lasted for `ms`: what is quick shows no skeleton. */
export function useLasting(active: boolean, ms = 150): boolean {
  const [lasting, setLasting] = useState(false);
  useEffect(() => {
    if (!active) {
      setLasting(false);
      return;
    }
    const timer = setTimeout(() => setLasting(true), ms);
    return () => clearTimeout(timer);
  }, [active, ms]);
  return active && lasting;
}

export function Empty({ title, children }: { title: string; children?: JSX.Element | string }): JSX.Element {
  return (
    <div class="empty">
      <p class="empty-title">{title}</p>
      {children ? <p class="empty-text">{children}</p> : null}
    </div>
  );
}
