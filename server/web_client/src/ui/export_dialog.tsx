/** One conversation or room as a file, or as a page to print. */
import type { JSX } from "preact";
import { placeOf } from "./admin/keeping_api";
import { Dialog } from "./dialog";

const FORMS = [
  ["json", "JSON", "Everything, for programs"],
  ["csv", "CSV", "A line for each message, for a spreadsheet"],
  ["html", "Printable page", "Opens in another tab"],
] as const;

export function ExportDialog({ conv, onClose }: { conv: string; onClose: () => void }): JSX.Element {
  const { timeZone } = Intl.DateTimeFormat().resolvedOptions();
  return (
    <Dialog label="Export" onClose={onClose}>
      <p class="dialog-words">All messages and internal notes, also archived ones; files are named, not contained.</p>
      <ul class="export-forms">
        {FORMS.map(([form, label, about], place) => (
          <li key={form}>
            <a
              class="button button-wide"
              href={`${placeOf(conv)}/export?${new URLSearchParams({ format: form, zone: timeZone })}`}
              {...(form === "html" ? { target: "_blank", rel: "noopener" } : { download: "" })}
              {...(place ? {} : { "data-first": true })}
            >
              {label}
            </a>
            <span class="dialog-aside">{about}</span>
          </li>
        ))}
      </ul>
      <footer class="dialog-foot">
        <button type="button" class="button" onClick={onClose}>
          Close
        </button>
      </footer>
    </Dialog>
  );
}
