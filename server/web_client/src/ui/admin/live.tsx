/** The live view: who is connected, how much happens, who waits; read anew every two seconds. */
import { useComputed, useSignal } from "@preact/signals";
import type { ComponentChildren, JSX } from "preact";
import { useEffect } from "preact/hooks";
import { nameOf, useStore } from "../context";
import { moment } from "../time";
import { ask, wordsOf } from "./api";
import { busiest, duration, rate, totalsLine, waitsFor, type Live } from "./live_words";
import { pollWhileVisible } from "./polling";

const EVERY_MS = 2_000;
const STALE_MS = 6_000;
const seconds = new Intl.DateTimeFormat("en-GB", { timeStyle: "medium" });

interface TableProps {
  readonly label: string;
  readonly heads: readonly string[];
  readonly empty: string;
  readonly rows: readonly { readonly key: string; readonly cells: readonly ComponentChildren[] }[];
}

/** A name, then figures. */
function Figures({ label, heads, rows, empty }: TableProps): JSX.Element {
  return (
    <section>
      <h2>{label}</h2>
      {rows.length ? (
        <div class="table-box">
          <table class="table figures">
            <caption class="hidden-text">{label}</caption>
            <thead>
              <tr>
                {heads.map((head, at) => (
                  <th key={head} scope="col" class={at ? "cell-number" : undefined}>
                    {head}
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {rows.map(({ key, cells: [first, ...others] }) => (
                <tr key={key}>
                  <th scope="row">{first}</th>
                  {others.map((cell, at) => (
                    <td key={at} class="cell-number">
                      {cell}
                    </td>
                  ))}
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      ) : (
        <p class="soft">{empty}</p>
      )}
    </section>
  );
}

function Tables({ live }: { live: Live }): JSX.Element {
  const store = useStore();
  const name = (user: string): string => nameOf(store, user);
  const inboxes = busiest(live.inboxes, (one) => one.unassigned, (one) => one.name);
  const people = busiest(live.people, (one) => one.assigned, (one) => name(one.user));
  return (
    <>
      <Figures
        label="Inboxes"
        heads={["Inbox", "Unassigned", "Oldest waits", "Assigned", "Viewers"]}
        empty="No inbox is live yet."
        rows={inboxes.map((one) => ({ key: one.id, cells: [one.name, one.unassigned, waitsFor(one.oldest_waiting_at, live.at) || "–", one.assigned, one.viewers] }))}
      />
      <Figures
        label="People"
        heads={["Person", "Clients", "Assigned"]}
        empty="Nobody is connected, and nobody has a conversation."
        rows={people.map((one) => ({ key: one.user, cells: [name(one.user), one.connections, one.assigned] }))}
      />
      <Figures
        label="Nodes"
        heads={["Node", "Clients", "Events/s", "Up", "Build"]}
        empty="No node has reported."
        rows={live.nodes.map((one) => ({ key: one.id, cells: [one.id, one.connections, rate(one.events_per_s), duration(one.up_s), one.build] }))}
      />
    </>
  );
}

export function LiveView(): JSX.Element {
  const live = useSignal<Live | null>(null);
  const gotMs = useSignal(0);
  const problem = useSignal("");
  useEffect(
    () =>
      pollWhileVisible(EVERY_MS, async () => {
        try {
          live.value = await ask<Live>("GET", "/v1/admin/live");
          gotMs.value = Date.now();
          problem.value = "";
        } catch (error) {
          problem.value = wordsOf(error);
        }
      }),
    [],
  );
  const stale = useComputed(() => gotMs.value > 0 && moment.value - gotMs.value > STALE_MS);
  return (
    <div class="page page-wide" data-stale={stale.value ? "" : undefined}>
      <h1>Live view</h1>
      <div role="status">
        {problem.value ? <p class="problem">{`${problem.value} Trying again.`}</p> : null}
        {stale.value ? <p class="said">{`These figures are out of date: they are from ${seconds.format(gotMs.value)}.`}</p> : null}
      </div>
      {live.value ? (
        <>
          <p class="live-line">
            <strong>Live:</strong> {totalsLine(live.value)}
          </p>
          <Tables live={live.value} />
        </>
      ) : problem.value ? null : (
        <p class="soft">Loading the live view…</p>
      )}
    </div>
  );
}
