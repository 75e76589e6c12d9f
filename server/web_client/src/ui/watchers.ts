/** Whether any tab of this page is looked at: the one that notifies may be another than the one in front. */

const KEY = "batonbox.focus";
/** A tab that died in front stops counting after so long. */
const STALE_MS = 15_000;
const BEAT_MS = 5_000;

const tab = Math.random().toString(36).slice(2);

const focused = (): boolean => document.visibilityState === "visible" && document.hasFocus();

function read(): { tab: string; atMs: number } | null {
  try {
    return JSON.parse(localStorage.getItem(KEY) ?? "null") as { tab: string; atMs: number } | null;
  } catch {
    return null;
  }
}

function write(): void {
  try {
    if (focused()) localStorage.setItem(KEY, JSON.stringify({ tab, atMs: Date.now() }));
    else if (read()?.tab === tab) localStorage.removeItem(KEY);
  } catch {
    return; // storage closed: each tab knows of itself alone
  }
}

export function focusedAnywhere(): boolean {
  if (focused()) return true;
  const kept = read();
  return kept !== null && kept.tab !== tab && Date.now() - kept.atMs < STALE_MS;
}

let started = false;

export function startFocusWatch(): void {
  if (started) return;
  started = true;
  for (const name of ["focus", "blur", "pageshow"]) addEventListener(name, write);
  document.addEventListener("visibilitychange", write);
  addEventListener("pagehide", () => {
    if (read()?.tab === tab) localStorage.removeItem(KEY);
  });
  setInterval(() => {
    if (focused()) write();
  }, BEAT_MS);
  write();
}
