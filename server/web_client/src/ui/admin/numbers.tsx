import type { JSX } from "preact";

export const Numbers = (): JSX.Element => (
  <div class="page page-wide">
    <h1>Numbers</h1>
  </div>
);
