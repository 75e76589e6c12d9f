import type { JSX } from "preact";

export const Team = (): JSX.Element => (
  <div class="page page-wide">
    <h1>Team</h1>
  </div>
);
