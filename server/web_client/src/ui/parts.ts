/** The parts of the page that are loaded later, each when it is wanted or when there is time. */
import { signal } from "@preact/signals";
import { lazy } from "./lazy";
import { go, opening } from "./route";

const loadConversation = () => import("./conversation");
const loadInteractions = () => import("./interactions");
const loadDialogs = () => import("./dialogs");
export const loadNotices = () => import("./notices");
export const loadCalling = () => import("./calling");
const loadToasts = () => import("./toast_list");

export const Conversation = lazy(() => loadConversation().then((part) => part.Conversation));
export const Dialogs = lazy(() => loadDialogs().then((part) => part.Dialogs));
export const Phone = lazy(() => import("./phone").then((part) => part.Phone));
export const Settings = lazy(() => import("./settings").then((part) => part.Settings));
export const InteractionsList = lazy(() => loadInteractions().then((part) => part.InteractionsList));
export const Interaction = lazy(() => loadInteractions().then((part) => part.Interaction));
export const RoomDialogs = lazy(() => import("./room_dialogs").then((part) => part.RoomDialogs));
export const Contacts = lazy(() => import("./contacts").then((part) => part.Contacts));
export const Admin = lazy(() => import("./admin/admin").then((part) => part.Admin));
export const AwayStrip = lazy(() => import("./availability").then((part) => part.AwayStrip));
export const Toasts = lazy(() => loadToasts().then((part) => part.Toasts));
export const Resizer = lazy(() => import("./resizer").then((part) => part.Resizer));
export const SignIn = lazy(() => import("./sign_in").then((part) => part.SignIn));

const openConversation = (conv: string): void => go(opening(conv));

/** Somebody is there, or there was time: what nobody sees before they move may be loaded. */
export const awake = signal(false);

const IDLE_MS = 5_000;
const SIGNS = ["pointermove", "pointerdown", "keydown", "touchstart"] as const;

/**
 * Loads what a conversation and its dialogs take, and starts the worker, as soon as somebody moves, or after a while:
 * when they are wanted they are there, connection or not.
 */
export function loadAhead(prepare: () => void): void {
  const load = (): void => {
    clearTimeout(timer);
    for (const sign of SIGNS) removeEventListener(sign, load);
    awake.value = true;
    void import("../pwa").then(({ startWorker }) => startWorker(openConversation), () => undefined);
    prepare();
    for (const part of [loadConversation, loadDialogs, loadNotices, loadToasts, loadCalling]) part().catch(() => undefined);
  };
  const timer = setTimeout(load, IDLE_MS);
  for (const sign of SIGNS) addEventListener(sign, load, { passive: true });
}
