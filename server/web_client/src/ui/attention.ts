/** Reaching somebody who does not look: title, app badge, icon; calling.ts does it aloud. */
import { effect } from "@preact/signals";
import type { Store } from "../contract";
import { loadCalling } from "./parts";
import { notifications, sound } from "./prefs";
import { route, type Page } from "./route";

const PAGE_NAMES: Readonly<Record<Page, string>> = {
  inboxes: "Inboxes",
  interactions: "Interactions",
  contacts: "Contacts",
  admin: "Admin",
  phone: "Phone",
  settings: "Settings",
  "sign-in": "Sign in",
};

export const title = (count: number, page: Page): string => `${count ? `(${count}) ` : ""}${PAGE_NAMES[page]} · batonbox`;

interface Badging {
  setAppBadge?: (count: number) => Promise<void>;
  clearAppBadge?: () => Promise<void>;
}

const device = navigator as Navigator & Badging;

function showAppBadge(count: number): void {
  const done = count ? device.setAppBadge?.(count) : device.clearAppBadge?.();
  done?.catch(() => undefined); // not installed: nobody sees it
}

/** The numbers are of customers who wait; what colleagues write counts beside Interactions alone. */
export function startAttention(store: Store): () => void {
  const stopTitle = effect(() => {
    const { blue, green } = store.totals.value;
    document.title = title(blue + green, route.value.page);
  });
  const stopBadge = effect(() => {
    const { blue, green } = store.totals.value;
    if (!device.setAppBadge) void loadCalling().then(({ dotIcon }) => dotIcon(blue + green > 0), () => undefined);
    else if (store.leader.value) showAppBadge(blue + green);
  });
  const stopNotices = store.onNotice((notice) => {
    if (!store.leader.peek()) return;
    if (!notifications.peek() && !sound.peek()) return;
    loadCalling().then(
      ({ call }) => call(store, notice),
      () => undefined,
    );
  });
  return () => {
    stopTitle();
    stopBadge();
    stopNotices();
  };
}
