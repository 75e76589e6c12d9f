/** Where we are: the address is the only place that remembers it. */
import { computed, signal } from "@preact/signals";

export type Page = "inboxes" | "interactions" | "contacts" | "admin" | "phone" | "settings" | "sign-in";
export type Filter = "open" | "done";
/** What Interactions shows. */
export type Kinds = "all" | "external" | "direct" | "channels";

export interface Route {
  readonly page: Page;
  /** An inbox's id (or its name in small letters), null for all of them. */
  readonly inbox: string | null;
  readonly filter: Filter;
  readonly kinds: Kinds;
  /** The open conversation or room, "" for none. */
  readonly conv: string;
  /** The number of the message to show of it, 0 for the newest; left behind by every step. */
  readonly line: number;
  /** Which of the admin pages; "" elsewhere. */
  readonly section: string;
}

const KINDS: readonly Kinds[] = ["all", "external", "direct", "channels"];
const PAGES: readonly Page[] = ["inboxes", "interactions", "contacts", "admin", "phone", "settings", "sign-in"];

function decoded(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    return segment;
  }
}

/** Whether conversations are opened beside a list there. */
export const opens = (page: Page): boolean => page === "inboxes" || page === "interactions";

/** Where a conversation, or a room, is opened. */
export const opening = (conv: string): Partial<Route> =>
  conv.startsWith("~") ? { page: "interactions", kinds: "all", conv } : { page: "inboxes", filter: "open", conv };

/** Of a path and a query ("?filter=open"); what nobody knows leads to the inboxes. */
export function parse(path: string, query: string): Route {
  const [first = "", second = ""] = path.split("/").filter(Boolean).map(decoded);
  const known = PAGES.find((name) => name === (first === "setup" ? "sign-in" : first));
  const page = known ?? "inboxes";
  const asked = new URLSearchParams(query);
  return {
    page,
    inbox: known === "inboxes" && second && second !== "all" ? second : null,
    filter: asked.get("filter") === "done" ? "done" : "open",
    kinds: KINDS.find((name) => page === "interactions" && name === asked.get("filter")) ?? "all",
    conv: opens(page) ? (asked.get("c") ?? "") : "",
    line: Math.max(0, Math.trunc(Number(asked.get("n")) || 0)),
    section: page === "admin" ? second || "inboxes" : "",
  };
}

export function format(route: Route): string {
  if (route.page === "admin") return `/admin/${encodeURIComponent(route.section || "inboxes")}`;
  if (!opens(route.page)) return `/${route.page}`;
  const inbox = route.inbox === null ? "all" : encodeURIComponent(route.inbox);
  const path = route.page === "inboxes" ? `/inboxes/${inbox}` : "/interactions";
  const query = new URLSearchParams({ filter: route.page === "inboxes" ? route.filter : route.kinds });
  if (route.conv) query.set("c", route.conv);
  if (route.conv && route.line) query.set("n", String(route.line));
  return `${path}?${query}`;
}

const here = (): Route => parse(location.pathname, location.search);

const current = signal<Route>(typeof location === "undefined" ? parse("/", "") : here());

/** Steps of ours in this tab's history: whether Back stays within the page. */
let steps = 0;

export const route = computed(() => current.value);

/** The address of the route with some of it changed. */
export const address = (change: Partial<Route>): string => format({ ...current.value, line: 0, ...change });

/** Go there; `replace` leaves no step to come back to. */
export function go(change: Partial<Route>, replace = false): void {
  const next = { ...current.peek(), line: 0, ...change };
  const path = format(next);
  if (path === location.pathname + location.search) return;
  if (replace) history.replaceState(null, "", path);
  else {
    history.pushState(null, "", path);
    steps += 1;
  }
  current.value = next;
}

/** Back to where we came from if that was ours, else to `fallback`. */
export function back(fallback: Partial<Route>): void {
  if (steps > 0) history.back();
  else go(fallback, true);
}

/** Follow the browser's Back and Forward; corrects an address that means another one. */
export function startRouting(): void {
  addEventListener("popstate", () => {
    steps = Math.max(0, steps - 1);
    current.value = here();
  });
  const { page } = current.peek();
  if (page !== "sign-in") history.replaceState(null, "", format(current.peek()));
}

/** For a link: leaves clicks that ask for another tab or window alone. */
export function follow(change: Partial<Route>): (event: MouseEvent) => void {
  return (event) => {
    if (event.button || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    event.preventDefault();
    go(change);
  };
}
