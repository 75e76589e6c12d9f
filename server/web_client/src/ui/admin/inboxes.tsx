import type { JSX } from "preact";

export const Inboxes = (): JSX.Element => (
  <div class="page page-wide">
    <h1>Inboxes</h1>
  </div>
);
