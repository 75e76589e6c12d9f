/** How much fits: measured in the reader's own text size, so that larger text means fewer panes. */
import { computed, signal } from "@preact/signals";

/** One rem in pixels. */
export const rem = signal(16);
const width = signal(1280);

/** As the wide, the middle and the narrow screen of the design, by what 16 px text would see. */
export const panes = computed<1 | 2 | 3>(() => {
  const seen = (width.value / rem.value) * 16;
  if (seen <= 600) return 1;
  return seen <= 900 ? 2 : 3;
});

/** Whether the page is looked at. */
export const visible = signal(true);

export function startScreen(): void {
  const probe = document.createElement("div");
  probe.className = "rem-probe";
  probe.setAttribute("aria-hidden", "true");
  document.body.append(probe);
  const measure = (): void => {
    rem.value = probe.getBoundingClientRect().width || 16;
    width.value = document.documentElement.clientWidth;
  };
  new ResizeObserver(measure).observe(probe);
  addEventListener("resize", measure);
  measure();
  const look = (): void => {
    visible.value = document.visibilityState === "visible";
  };
  document.addEventListener("visibilitychange", look);
  look();
}
