/** The audit log: who did what to whom, when and from where; to be narrowed and exported. */
import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { useEffect } from "preact/hooks";
import { inboxName, nameOf, useStore } from "../context";
import { address, follow } from "../route";
import { page } from "./api";
import { AuditForm } from "./audit_form";
import { auditQuery, EVERYTHING, exportAddress, type AuditFilters } from "./audit_filters";
import { changes, sentence, targetName, viaWords, type AuditEntry, type Names } from "./audit_words";
import { useCustomers } from "./customers";
import { Pages, usePages } from "./paging";
import { When } from "./when";

/** Ids of keys, sessions and the like are long, and few want to read one. */
function Target({ entry, names }: { entry: AuditEntry; names: Names }): JSX.Element {
  const name = targetName(entry, names);
  if (name || !entry.target) return <>{name}</>;
  return (
    <span class="mono cell-id" title={entry.target}>
      {entry.target}
    </span>
  );
}

function Row({ entry, names }: { entry: AuditEntry; names: Names }): JSX.Element {
  const there = entry.conv ? ({ page: "inboxes", inbox: null, filter: "open", conv: entry.conv } as const) : null;
  const more = changes(entry, names);
  return (
    <tr>
      <td class="cell-time">
        <When at={entry.at} exact />
      </td>
      <td>{entry.actor ? names.person(entry.actor) : <span class="soft">Server</span>}</td>
      <th scope="row" class="cell-wide">
        {sentence(entry, names)}
        {more ? <span class="cell-aside">{more}</span> : null}
      </th>
      <td>
        {viaWords(entry.via)}
        {entry.address ? <span class="cell-aside mono">{entry.address}</span> : null}
      </td>
      <td>
        {there && entry.conv ? (
          <a href={address(there)} onClick={follow(there)}>
            {names.conversation(entry.conv)}
          </a>
        ) : (
          <Target entry={entry} names={names} />
        )}
        {entry.inbox && entry.conv ? <span class="cell-aside">{names.inbox(entry.inbox)}</span> : null}
      </td>
    </tr>
  );
}

function Table({ entries }: { entries: readonly AuditEntry[] }): JSX.Element {
  const store = useStore();
  const names: Names = {
    person: (id) => nameOf(store, id),
    inbox: (id) => inboxName(store, id),
    conversation: useCustomers(entries.map(({ conv }) => conv)),
  };
  return (
    <div class="table-box">
      <table class="table audit">
        <caption class="hidden-text">Audit log, newest first</caption>
        <thead>
          <tr>
            <th scope="col">When</th>
            <th scope="col">Who</th>
            <th scope="col">What</th>
            <th scope="col">From where</th>
            <th scope="col">Conversation or target</th>
          </tr>
        </thead>
        <tbody>
          {entries.map((entry) => (
            <Row key={entry.id} entry={entry} names={names} />
          ))}
        </tbody>
      </table>
    </div>
  );
}

export function Audit(): JSX.Element {
  const filters = useSignal<AuditFilters>(EVERYTHING);
  const found = usePages<AuditEntry>((cursor) => page("/v1/admin/audit", { ...Object.fromEntries(auditQuery(filters.peek())), cursor }));
  useEffect(found.reload, [filters.value]);
  const narrowed = filters.value !== EVERYTHING;
  return (
    <div class="page page-wide">
      <div class="table-tools">
        <h1>Audit log</h1>
        <div class="tools">
          <a class="button button-small" download="" href={exportAddress(filters.value, "csv")}>
            Export CSV
          </a>
          <a class="button button-small" download="" href={exportAddress(filters.value, "ndjson")}>
            Export NDJSON
          </a>
        </div>
      </div>
      <p class="page-words">Every change of who has a conversation, and everything that admins did.</p>
      <AuditForm filters={filters} onReload={found.reload} />
      <Pages of={found} what="the audit log" more="Show older" empty={narrowed ? "Nothing matches." : "Nothing has been done yet that is audited."}>
        {(entries) => <Table entries={entries} />}
      </Pages>
    </div>
  );
}
