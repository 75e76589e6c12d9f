/** The admin pages in the order of their links; each is loaded when it is opened. */
import type { JSX } from "preact";
import { lazy } from "../lazy";

export interface AdminSection {
  /** In the address: /admin/<section>. */
  readonly section: string;
  readonly label: string;
  readonly Page: (props: object) => JSX.Element | null;
}

export const SECTIONS: readonly AdminSection[] = [
  { section: "inboxes", label: "Inboxes", Page: lazy(() => import("./inboxes").then((part) => part.Inboxes)) },
  { section: "team", label: "Team", Page: lazy(() => import("./team").then((part) => part.Team)) },
  { section: "numbers", label: "Numbers", Page: lazy(() => import("./numbers").then((part) => part.Numbers)) },
  { section: "carriers", label: "Carriers", Page: lazy(() => import("./carriers").then((part) => part.Carriers)) },
  { section: "bots", label: "Bots & API keys", Page: lazy(() => import("./bots").then((part) => part.Bots)) },
  { section: "webhooks", label: "Webhooks", Page: lazy(() => import("./webhooks").then((part) => part.Webhooks)) },
  { section: "channels", label: "Channels", Page: lazy(() => import("./channels").then((part) => part.Channels)) },
  { section: "keeping", label: "Archive & retention", Page: lazy(() => import("./keeping").then((part) => part.Keeping)) },
  { section: "export", label: "Export", Page: lazy(() => import("./export").then((part) => part.Export)) },
  { section: "audit", label: "Audit log", Page: lazy(() => import("./audit").then((part) => part.Audit)) },
  { section: "live", label: "Live view", Page: lazy(() => import("./live").then((part) => part.LiveView)) },
];
