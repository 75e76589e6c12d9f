/** Pages whose place is known and whose content is not part of this version. */
import type { JSX } from "preact";

function Later({ title, words }: { title: string; words: string }): JSX.Element {
  return (
    <div class="page">
      <h1>{title}</h1>
      <p class="page-words">{words}</p>
    </div>
  );
}

export const Interactions = (): JSX.Element => (
  <Later title="Interactions" words="Interactions: history, direct messages and channels. Not part of this version yet." />
);
