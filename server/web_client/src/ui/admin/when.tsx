/** A moment, short, with the whole of it on hovering. */
import type { JSX } from "preact";
import { clock, dayYearFormat, fullTime, shortTime } from "../format";
import { minute } from "../time";

interface Props {
  readonly at: string | null;
  /** What stands for no moment. */
  readonly none?: string;
  /** The time of day with the date. */
  readonly exact?: boolean;
  /** It is to come: with its date. */
  readonly ahead?: boolean;
}

export function When({ at, none = "never", exact, ahead }: Props): JSX.Element {
  const ms = at === null ? NaN : Date.parse(at);
  if (at === null || Number.isNaN(ms)) return <span class="soft">{none}</span>;
  const short = ahead ? dayYearFormat.format(ms) : shortTime(ms, minute.value);
  return (
    <time dateTime={at} title={fullTime(ms)}>
      {exact && short !== clock(ms) ? `${short}, ${clock(ms)}` : short}
    </time>
  );
}
