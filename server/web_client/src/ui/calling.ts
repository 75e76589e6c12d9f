/** Calling somebody who does not look: desktop notification, sound, a dot on the icon. */
import type { Notice, Store } from "../contract";
import { customerNow } from "./context";
import { notifications, preview, sound } from "./prefs";
import { go, opening } from "./route";
import { focusedAnywhere, startFocusWatch } from "./watchers";

startFocusWatch();

let plainIcon = "";

/** A dot on the page's icon, drawn over the one it has. */
export function dotIcon(on: boolean): void {
  const link = document.querySelector<HTMLLinkElement>("link[rel~=icon]");
  if (!link) return;
  plainIcon ||= link.href;
  if (!on) {
    link.href = plainIcon;
    return;
  }
  const image = new Image();
  image.onload = () => {
    const canvas = document.createElement("canvas");
    canvas.width = canvas.height = 64;
    const pen = canvas.getContext("2d");
    if (!pen) return;
    pen.drawImage(image, 0, 0, 64, 64);
    pen.fillStyle = getComputedStyle(document.documentElement).getPropertyValue("--blue") || "#2563eb";
    pen.beginPath();
    pen.arc(48, 16, 14, 0, 2 * Math.PI);
    pen.fill();
    link.href = canvas.toDataURL();
  };
  image.src = plainIcon;
}

function beep(): void {
  try {
    const audio = new AudioContext();
    const tone = audio.createOscillator();
    const volume = audio.createGain();
    tone.frequency.value = 660;
    volume.gain.setValueAtTime(0.08, audio.currentTime);
    volume.gain.exponentialRampToValueAtTime(0.0001, audio.currentTime + 0.25);
    tone.connect(volume).connect(audio.destination);
    tone.onended = () => void audio.close();
    tone.start();
    tone.stop(audio.currentTime + 0.25);
  } catch {
    return; // no sound device, or not allowed before the first press
  }
}

interface Call {
  readonly conv: string;
  readonly title: string;
  readonly body: string;
}

/** A colleague writes to me, names me, or puts me into a channel. */
function calledInRoom(store: Store, notice: Notice): Call | null {
  if (notice.kind !== "direct" && notice.kind !== "mention" && notice.kind !== "added") return null;
  const room = store.room(notice.conv).peek();
  const title = store.people.peek().get(notice.by)?.name ?? notice.by;
  const where = room?.name ? ` · ${room.name}` : "";
  const words = { direct: "Direct message", mention: `Mentioned you${where}`, added: `Added you to a channel${where}` };
  const begun = notice.kind !== "added" && preview.peek() && room?.lastBy === notice.by ? `\n${room.preview}` : "";
  return { conv: notice.conv, title, body: words[notice.kind] + begun };
}

/** What a notification says of a notice; null where nobody has to be called. */
function called(store: Store, notice: Notice): Call | null {
  if ("conv" in notice && notice.conv.startsWith("~")) return calledInRoom(store, notice);
  if (notice.kind !== "inbound" && notice.kind !== "handed_to_me" && notice.kind !== "woken" && notice.kind !== "mention") return null;
  const view = store.conversation(notice.conv).peek();
  const inbox = store.inboxes.peek().find(({ id }) => id === view?.inbox)?.name ?? "";
  const customer = view ? customerNow(store, view.row.customer) : "A conversation";
  const who = "by" in notice ? notice.by : "";
  const by = store.people.peek().get(who)?.name ?? who;
  const words = {
    inbound: `New message · ${inbox}`,
    handed_to_me: `${by ? `${by} handed this to you` : "Back with you: the customer wrote again"} · ${inbox}`,
    woken: `Due again · ${inbox}`,
    mention: `${by} mentioned you · ${inbox}`,
  };
  const begun = notice.kind === "inbound" && preview.peek() && view ? `\n${view.row.preview}` : "";
  return { conv: notice.conv, title: customer, body: words[notice.kind] + begun };
}

function notify(call: Call, line: number): void {
  if (!notifications.peek() || !("Notification" in window) || Notification.permission !== "granted") return;
  const options = { body: call.body, tag: call.conv, icon: "/icon.svg" };
  try {
    const shown = new Notification(call.title, options);
    shown.onclick = () => {
      window.focus();
      go({ ...opening(call.conv), line });
      shown.close();
    };
  } catch {
    // Some platforms show notifications only through a worker.
    void navigator.serviceWorker?.getRegistration().then((worker) => worker?.showNotification(call.title, options));
  }
}

export function call(store: Store, notice: Notice): void {
  const found = called(store, notice);
  if (!found) return;
  if (sound.peek()) beep();
  if (!focusedAnywhere()) notify(found, notice.kind === "mention" ? (notice.n ?? 0) : 0);
}
