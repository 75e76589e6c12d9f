/** One conversation in the list. */
import type { JSX } from "preact";
import { Badge, Flag } from "./bits";
import { customerName, inboxName, useStore } from "./context";
import { fullTime, phoneNumber, shortTime, untilTime, waiting } from "./format";
import { ClockIcon } from "./icons";
import { address, follow, route } from "./route";
import { minute } from "./time";

export interface RowProps {
  readonly id: string;
  /** From the beginning of its section's rows. */
  readonly top: number;
  readonly place: number;
  readonly total: number;
  readonly stop: boolean;
  readonly showInbox: boolean;
}

export function ConversationRow({ id, top, place, total, stop, showInbox }: RowProps): JSX.Element {
  const store = useStore();
  const view = store.conversation(id).value;
  const selected = route.value.conv === id;
  const at = { "--top": `${top}px` };
  if (!view) {
    return (
      <li class="row-place" style={at}>
        <span class="row row-skeleton" data-conv={id} />
      </li>
    );
  }
  const { row } = view;
  const rests = row.snoozed_until ? untilTime(row.snoozed_until, minute.value) : "";
  const waits = row.status === "unassigned" ? waiting(row.waiting_since, minute.value) : "";
  const classes = `row${selected ? " row-selected" : ""}${view.badge === "none" ? "" : " row-unread"}${rests ? " row-snoozed" : ""}`;
  return (
    <li class="row-place" style={at} aria-posinset={place} aria-setsize={total}>
      <a
        class={classes}
        data-conv={id}
        data-pending={view.pending || undefined}
        href={address({ conv: id })}
        onClick={follow({ conv: id })}
        tabIndex={stop ? 0 : -1}
        aria-current={selected ? "true" : undefined}
      >
        <span class="row-line">
          <bdi class="row-customer" title={phoneNumber(row.customer)}>
            {customerName(store, row.customer)}
          </bdi>
          <span class="row-inbox">{showInbox ? inboxName(store, view.inbox) : ""}</span>
          <time class="row-time" dateTime={new Date(row.last_ms).toISOString()} title={fullTime(row.last_ms)}>
            {shortTime(row.last_ms, minute.value)}
          </time>
        </span>
        <span class="row-flag">
          <Flag view={view} />
        </span>
        <span class="row-line">
          <span class="row-preview">{row.preview || "No text"}</span>
          {waits || rests ? (
            <span class="row-waits" title={rests ? `Snoozed until ${fullTime(row.snoozed_until)}` : `Waiting since ${fullTime(row.waiting_since)}`}>
              <ClockIcon />
              <span class="hidden-text">{rests ? "snoozed until " : "waiting "}</span>
              {rests || waits}
            </span>
          ) : null}
          <Badge view={view} />
        </span>
      </a>
    </li>
  );
}
