/** Archive and retention: where old messages are, when they are erased, and what is held. */
import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { useEffect } from "preact/hooks";
import { inboxName, nameOf, useStore } from "../context";
import { address, follow, opening } from "../route";
import { say } from "../toasts";
import { wordsOf } from "./api";
import { Confirm } from "./confirm";
import { useCustomers } from "./customers";
import { FormDialog, type Done } from "./form_dialog";
import { archive, holds, release, rules, setRules, type ArchiveReport, type Hold, type Rules } from "./keeping_api";
import { archiveFacts, archiveWords, DAYS_WRONG, daysOf, daysWords, eraseWords } from "./keeping_words";
import { Pages, usePages, whole } from "./paging";
import { When } from "./when";

function Archive(): JSX.Element {
  const found = useSignal<ArchiveReport | null>(null);
  const problem = useSignal("");
  useEffect(() => {
    archive().then(
      (report) => void (found.value = report),
      (error: unknown) => void (problem.value = wordsOf(error)),
    );
  }, []);
  const report = found.value;
  const stuck = problem.value || (report && report.state !== "ok" && report.state !== "none");
  return (
    <section>
      <h2>Archive</h2>
      <p class={stuck ? "problem" : "page-words"} role={stuck ? "alert" : undefined}>
        {problem.value || (report ? archiveWords(report.state) : "Loading…")}
      </p>
      {report ? <Facts facts={archiveFacts(report)} /> : null}
    </section>
  );
}

function Facts({ facts }: { facts: readonly (readonly [string, string])[] }): JSX.Element {
  return (
    <dl class="rules">
      {facts.map(([what, how]) => (
        <>
          <dt>{what}</dt>
          <dd>{how}</dd>
        </>
      ))}
    </dl>
  );
}

function RulesDialog({ now, onDone, onClose }: { now: Rules; onDone: Done; onClose: () => void }): JSX.Element {
  const external = useSignal(now.external_days ? String(now.external_days) : "");
  const internal = useSignal(now.internal_days ? String(now.internal_days) : "");
  const typed = (): Rules | null => {
    const [external_days, internal_days] = [daysOf(external.value), daysOf(internal.value)];
    return external_days === null || internal_days === null ? null : { external_days, internal_days };
  };
  const after = typed();
  const field = (label: string, value: typeof external, first: boolean): JSX.Element => (
    <label class="field">
      <span>{label}</span>
      <input type="text" inputMode="numeric" autocomplete="off" placeholder="For ever" {...(first ? { "data-first": true } : {})} value={value.value} onInput={(event) => (value.value = event.currentTarget.value)} />
    </label>
  );
  const act = async (): Promise<void> => {
    await setRules(typed() as Rules);
    say("The rules are changed.");
    await onDone();
  };
  return (
    <FormDialog label="Change retention" button="Save" check={() => (typed() ? "" : DAYS_WRONG)} act={act} onClose={onClose}>
      {field("Days for messages with customers", external, true)}
      {field("Days for direct messages and channels", internal, false)}
      <p class="dialog-words" role="status">
        {after ? eraseWords(now, after) || "Nothing more is erased than before." : ""}
      </p>
    </FormDialog>
  );
}

function Retention(): JSX.Element {
  const now = useSignal<Rules | null>(null);
  const problem = useSignal("");
  const editing = useSignal(false);
  const load = (): Promise<void> =>
    rules().then(
      (found) => void (now.value = found),
      (error: unknown) => void (problem.value = wordsOf(error)),
    );
  useEffect(() => void load(), []);
  const found = now.value;
  return (
    <section>
      <div class="table-tools">
        <h2>Retention</h2>
        {found ? (
          <button type="button" class="button button-small" onClick={() => (editing.value = true)}>
            Change…
          </button>
        ) : null}
      </div>
      {problem.value ? (
        <p class="problem" role="alert">
          {problem.value}
        </p>
      ) : null}
      {found ? (
        <Facts
          facts={[
            ["Messages with customers", daysWords(found.external_days)],
            ["Direct messages and channels", daysWords(found.internal_days)],
          ]}
        />
      ) : problem.value ? null : (
        <p class="soft">Loading the rules…</p>
      )}
      {editing.value && found ? <RulesDialog now={found} onDone={load} onClose={() => (editing.value = false)} /> : null}
    </section>
  );
}

interface RowProps {
  readonly hold: Hold;
  readonly name: string;
  readonly onRelease: () => void;
}

function HoldRow({ hold, name, onRelease }: RowProps): JSX.Element {
  const store = useStore();
  const there = opening(hold.conv);
  const mine = !hold.conv.startsWith("~") || store.room(hold.conv).value !== undefined;
  return (
    <tr>
      <th scope="row">
        {mine ? (
          <a href={address(there)} onClick={follow(there)}>
            {name}
          </a>
        ) : (
          name
        )}
        {hold.inbox ? <span class="cell-aside">{inboxName(store, hold.inbox)}</span> : null}
      </th>
      <td class="cell-wide">{hold.reason}</td>
      <td>
        {nameOf(store, hold.by)}
        <span class="cell-aside">
          <When at={hold.since_at} exact />
        </span>
      </td>
      <td class="cell-acts">
        <button type="button" class="button button-small" aria-label={`End the hold of ${name}`} onClick={onRelease}>
          End hold
        </button>
      </td>
    </tr>
  );
}

function Holds(): JSX.Element {
  const store = useStore();
  const found = usePages(() => whole(holds()));
  const ending = useSignal<Hold | null>(null);
  useEffect(found.reload, []);
  const customer = useCustomers((found.all ?? []).map(({ conv }) => (conv.startsWith("~") ? null : conv)));
  const nameFor = ({ conv }: Hold): string => {
    if (!conv.startsWith("~")) return customer(conv);
    const room = store.room(conv).value;
    return room?.name || (room ? "A direct room of yours" : "A room you are not in");
  };
  const ended = ending.value;
  return (
    <section>
      <h2>Legal holds</h2>
      <p class="page-words">Nothing of what is held is erased, whatever its age. Hold a conversation or a channel from its ⋮ menu.</p>
      <Pages of={found} what="holds" more="Show more" empty="Nothing is held.">
        {(all) => (
          <div class="table-box">
            <table class="table">
              <caption class="hidden-text">Legal holds</caption>
              <thead>
                <tr>
                  <th scope="col">What</th>
                  <th scope="col">Why</th>
                  <th scope="col">By</th>
                  <th scope="col">
                    <span class="hidden-text">Acts</span>
                  </th>
                </tr>
              </thead>
              <tbody>
                {all.map((hold) => (
                  <HoldRow key={hold.conv} hold={hold} name={nameFor(hold)} onRelease={() => (ending.value = hold)} />
                ))}
              </tbody>
            </table>
          </div>
        )}
      </Pages>
      {ended ? (
        <Confirm
          label="End hold"
          words={`The rules of retention count again for ${nameFor(ended)}: what is older than they say is erased.`}
          button="End hold"
          act={() => release(ended.conv).then(() => undefined)}
          onDone={found.reload}
          onClose={() => (ending.value = null)}
        />
      ) : null}
    </section>
  );
}

export function Keeping(): JSX.Element {
  return (
    <div class="page page-wide">
      <h1>Archive &amp; retention</h1>
      <Archive />
      <Retention />
      <Holds />
    </div>
  );
}
