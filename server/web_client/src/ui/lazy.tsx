/** Parts of the page that come when somebody wants them. */
import { signal } from "@preact/signals";
import type { ComponentType, JSX } from "preact";
import { useEffect } from "preact/hooks";
import { say } from "./toasts";

export function lazy<P extends object>(load: () => Promise<ComponentType<P>>): (props: P) => JSX.Element | null {
  const loaded = signal<ComponentType<P> | null>(null);
  let asked = false;
  const ask = (): void => {
    if (asked) return;
    asked = true;
    load().then(
      (component) => (loaded.value = component),
      () => {
        asked = false;
        // A newer build has replaced the files this page was made of, or the network is away.
        say("This part of the page could not be loaded.", { tone: "lasting", action: { label: "Reload", run: () => location.reload() } });
      },
    );
  };
  return function Lazy(props: P) {
    useEffect(ask, []);
    const Part = loaded.value;
    return Part ? <Part {...props} /> : null;
  };
}
