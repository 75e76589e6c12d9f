// Answers clicks on notifications, and nothing else: pages load from the server as ever.
"use strict";

self.addEventListener("install", () => self.skipWaiting());
self.addEventListener("activate", (event) => event.waitUntil(self.clients.claim()));

self.addEventListener("notificationclick", (event) => {
  const { notification } = event;
  notification.close();
  event.waitUntil(open(notification.tag));
});

/** Bring a window to the front and let it open the conversation; with none open, make one. */
async function open(conv) {
  const found = await self.clients.matchAll({ type: "window", includeUncontrolled: true });
  const page = found.find((client) => client.focused) ?? found[0];
  if (!page) {
    const query = conv ? `?${new URLSearchParams({ filter: "open", c: conv })}` : "";
    await self.clients.openWindow(`/inboxes/all${query}`);
    return;
  }
  page.postMessage({ open: conv });
  await page.focus();
}
