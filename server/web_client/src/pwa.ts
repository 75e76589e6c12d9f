/** The worker behind notifications (`public/sw.js`): it fetches nothing and caches nothing. */

interface ScriptUrlPolicy {
  createScriptURL(url: string): string;
}

interface TrustedTypes {
  createPolicy(name: string, rules: ScriptUrlPolicy): ScriptUrlPolicy;
}

const WORKER = "/sw.js";

/** The page's policy lets scripts be named through this one rule only, and it knows one script. */
function trusted(url: string): string {
  const { trustedTypes } = window as Window & { readonly trustedTypes?: TrustedTypes };
  const rules: ScriptUrlPolicy = {
    createScriptURL: (asked) => {
      if (asked !== WORKER) throw new TypeError(`${asked} is not the worker.`);
      return asked;
    },
  };
  return (trustedTypes?.createPolicy("batonbox-sw", rules) ?? rules).createScriptURL(url);
}

/**
 * Register the worker where the browser has any (TLS, or this machine).
 *
 * `open` is told the conversation of a notification that was clicked, "" for none. Call it once.
 */
export function startWorker(open: (conv: string) => void): void {
  const { serviceWorker } = navigator;
  if (!serviceWorker || !import.meta.env.PROD) return;
  serviceWorker.addEventListener("message", ({ data }: MessageEvent<unknown>) => {
    const conv = (data as { readonly open?: unknown } | null)?.open;
    if (typeof conv === "string") open(conv);
  });
  // Private windows of some browsers refuse: notifications then come from the page itself.
  serviceWorker.register(trusted(WORKER), { updateViaCache: "none" }).catch(() => undefined);
}
