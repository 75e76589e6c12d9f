/** The list pane's sections as data: what each shows now, after collapsing and filtering. */
import type { List, ListView, Store, View } from "../contract";
import { phoneNumber } from "./format";
import { collapsed } from "./prefs";
import type { Filter } from "./route";

export interface Section {
  readonly view: ListView;
  readonly title: string;
  readonly list: List;
  /** All loaded ids, or those the filter box leaves. */
  readonly ids: readonly string[];
  readonly open: boolean;
  /** How many there are, with "+" while nobody knows. */
  readonly count: string;
  readonly empty: string;
  /** More is to come below the loaded ones. */
  readonly unfinished: boolean;
}

const TITLES: Readonly<Record<View, string>> = {
  unassigned: "Unassigned",
  mine: "Assigned to Me",
  others: "Assigned to others",
  done: "Done",
};

const EMPTY: Readonly<Record<View, string>> = {
  unassigned: "Nothing waits. New messages from customers appear here.",
  mine: "Nothing is yours. Open a conversation and choose Assign to Me.",
  others: "Your colleagues have nothing open.",
  done: "Nothing is done yet. What you mark as done moves here.",
};

export const VIEWS: Readonly<Record<Filter, readonly View[]>> = {
  open: ["unassigned", "mine", "others"],
  done: ["done"],
};

const isCollapsed = (view: ListView): boolean => collapsed.value.split(",").includes(view);

export function toggle(view: ListView): void {
  const now = collapsed.peek().split(",").filter(Boolean);
  collapsed.value = (now.includes(view) ? now.filter((v) => v !== view) : [...now, view]).join(",");
}

function matches(store: Store, id: string, words: string, digits: string): boolean {
  const row = store.conversation(id).value?.row;
  if (!row) return false;
  const owner = store.people.value.get(row.assignee)?.name ?? "";
  const text = `${phoneNumber(row.customer)} ${store.contact(row.customer).value?.name ?? ""} ${row.preview} ${owner}`.toLocaleLowerCase();
  return text.includes(words) || (digits.length > 1 && row.customer.includes(digits));
}

export function sectionOf(store: Store, view: View, inbox: string | null, filterBox: string): Section {
  const list = store.list(view, inbox);
  const all = list.ids.value;
  const words = filterBox.trim().toLocaleLowerCase();
  const digits = words.replace(/\D/g, "");
  const ids = words ? all.filter((id) => matches(store, id, words, digits)) : all;
  const total = list.total.value;
  const complete = list.complete.value;
  return {
    view,
    title: TITLES[view],
    list,
    ids,
    open: view === "done" || !isCollapsed(view),
    count: words ? String(ids.length) : total === null ? `${all.length}${complete ? "" : "+"}` : total.toLocaleString("en"),
    empty: words ? "No loaded conversation matches." : EMPTY[view],
    unfinished: !complete,
  };
}
