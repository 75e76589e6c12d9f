/** Bots, and the API keys of bots and people. */
import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { useEffect } from "preact/hooks";
import { useStore } from "../context";
import { items } from "./api";
import { BotDialog } from "./bot_dialog";
import { Keys, type Owner } from "./keys";
import { Pages, usePages, whole } from "./paging";

interface User extends Owner {
  readonly active: boolean;
  readonly bot: boolean;
}

function BotRow({ bot, open, onOpen }: { bot: User; open: boolean; onOpen: () => void }): JSX.Element {
  const store = useStore();
  const inboxes = store.inboxes.value.filter(({ members }) => members.includes(bot.id)).map(({ name }) => name);
  return (
    <tr data-open={open ? "" : undefined}>
      <th scope="row">
        <button type="button" class="row-button" aria-expanded={open} onClick={onOpen}>
          {bot.name}
        </button>
      </th>
      <td class="mono">{bot.id}</td>
      <td>{inboxes.length ? inboxes.join(", ") : <span class="soft">none</span>}</td>
      <td>{bot.active ? "Active" : "Deactivated"}</td>
    </tr>
  );
}

function People({ people }: { people: readonly User[] }): JSX.Element {
  const store = useStore();
  const chosen = useSignal(store.me.peek()?.id ?? "");
  const owner = people.find(({ id }) => id === chosen.value) ?? people[0];
  if (!owner) return <></>;
  return (
    <>
      <label class="field field-narrow">
        <span>Person</span>
        <select value={owner.id} onChange={(event) => (chosen.value = event.currentTarget.value)}>
          {people.map(({ id, name }) => (
            <option key={id} value={id}>
              {name}
            </option>
          ))}
        </select>
      </label>
      <Keys key={owner.id} owner={owner} />
    </>
  );
}

const byName = (a: User, b: User): number => a.name.localeCompare(b.name);

export function Bots(): JSX.Element {
  const found = usePages(() => whole(items<User>("/v1/admin/users")));
  const open = useSignal("");
  const adding = useSignal(false);
  useEffect(found.reload, []);
  const bots = (found.all ?? []).filter(({ bot }) => bot).sort(byName);
  const people = (found.all ?? []).filter(({ bot, active }) => !bot && active).sort(byName);
  const chosen = bots.find(({ id }) => id === open.value);
  return (
    <div class="page page-wide">
      <h1>Bots &amp; API keys</h1>
      <p class="page-words">Programs sign in with a key, over HTTP and the websocket. A bot is a team member of its own; a person's key acts as that person.</p>
      <section aria-labelledby="bots-heading">
        <div class="table-tools">
          <h2 id="bots-heading">Bots</h2>
          <button type="button" class="button button-small" onClick={() => (adding.value = true)}>
            Add bot
          </button>
        </div>
        <Pages of={{ ...found, all: found.all && bots }} what="bots" more="Show more" empty="No bots yet. Add one for each program that works in your inboxes: what it does then bears its name.">
          {(all) => (
            <div class="table-box">
              <table class="table">
                <caption class="hidden-text">Bots</caption>
                <thead>
                  <tr>
                    <th scope="col">Name</th>
                    <th scope="col">Id</th>
                    <th scope="col">Inboxes</th>
                    <th scope="col">State</th>
                  </tr>
                </thead>
                <tbody>
                  {all.map((bot) => (
                    <BotRow key={bot.id} bot={bot} open={open.value === bot.id} onOpen={() => (open.value = open.value === bot.id ? "" : bot.id)} />
                  ))}
                </tbody>
              </table>
            </div>
          )}
        </Pages>
        {chosen ? (
          <section class="detail" aria-label={`Keys of ${chosen.name}`}>
            <h3>{`Keys of ${chosen.name}`}</h3>
            <Keys key={chosen.id} owner={chosen} />
          </section>
        ) : null}
      </section>
      {people.length ? (
        <section aria-labelledby="people-heading">
          <h2 id="people-heading">Keys of people</h2>
          <People people={people} />
        </section>
      ) : null}
      {adding.value ? (
        <BotDialog
          onDone={(id) => {
            open.value = id;
            found.reload();
          }}
          onClose={() => (adding.value = false)}
        />
      ) : null}
    </div>
  );
}
