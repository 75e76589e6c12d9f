/** Channels: which there are, who is in those that one is in, making and closing them. */
import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { useEffect } from "preact/hooks";
import { untilAnswered } from "../asking";
import { nameOf, useStore } from "../context";
import { channels, membersOf, type Channel } from "../room_api";
import { address, follow } from "../route";
import { AddToChannel, ArchiveChannel, CreateChannel, JoinChannel, RemoveFromChannel, RenameChannel } from "./channel_dialogs";
import type { Done } from "./form_dialog";
import { Pages, usePages, whole } from "./paging";
import { When } from "./when";

type Asked = "rename" | "archive" | "join" | "add" | { readonly remove: string };

interface DetailProps {
  readonly channel: Channel;
  readonly onDone: Done;
}

function Members({ channel, members, onRemove }: { channel: Channel; members: readonly string[] | null; onRemove: (user: string) => void }): JSX.Element {
  const store = useStore();
  const me = store.me.value?.id;
  if (!channel.member) return <p class="soft">You are not in this channel: who is, and what they write, is theirs to see. Join it, and they see that you did.</p>;
  if (members === null) return <p class="soft">Loading the members…</p>;
  const named = [...members].sort((a, b) => nameOf(store, a).localeCompare(nameOf(store, b)));
  return (
    <ul class="channel-members" aria-label="Members">
      {named.map((user) => (
        <li key={user}>
          <span>
            {nameOf(store, user)}
            {user === me ? <span class="tag">You</span> : null}
          </span>
          {user === me ? null : (
            <button type="button" class="button button-small" aria-label={`Remove ${nameOf(store, user)}`} onClick={() => onRemove(user)}>
              Remove
            </button>
          )}
        </li>
      ))}
    </ul>
  );
}

function Detail({ channel, onDone }: DetailProps): JSX.Element {
  const members = useSignal<readonly string[] | null>(null);
  const asked = useSignal<Asked | null>(null);
  useEffect(() => {
    if (!channel.member) return;
    // Who has left meanwhile is refused, and told so when the list comes anew.
    return untilAnswered(
      () => membersOf(channel.id),
      (found) => (members.value = found),
    );
  }, [channel]);
  const button = (what: Asked & string, label: string): JSX.Element => (
    <button key={what} type="button" class="button button-small" onClick={() => (asked.value = what)}>
      {label}
    </button>
  );
  const there = { page: "interactions", kinds: "all", conv: channel.id } as const;
  return (
    <section class="detail" aria-label={channel.name}>
      <div class="table-tools">
        <h2>{channel.name}</h2>
        <div class="tools">
          {channel.member ? (
            <a class="button button-small" href={address(there)} onClick={follow(there)}>
              Open
            </a>
          ) : (
            button("join", "Join")
          )}
          {button("add", "Add somebody")}
          {button("rename", "Rename")}
          {button("archive", channel.archived_at === null ? "Archive" : "Open again")}
        </div>
      </div>
      <Members channel={channel} members={members.value} onRemove={(user) => (asked.value = { remove: user })} />
      {asked.value ? <Asking channel={channel} asked={asked.value} members={channel.member ? members.value : null} onDone={onDone} onClose={() => (asked.value = null)} /> : null}
    </section>
  );
}

function Asking({ asked, members, ...props }: DetailProps & { asked: Asked; members: readonly string[] | null; onClose: () => void }): JSX.Element {
  switch (asked) {
    case "rename":
      return <RenameChannel {...props} />;
    case "archive":
      return <ArchiveChannel {...props} />;
    case "join":
      return <JoinChannel {...props} />;
    case "add":
      return <AddToChannel {...props} members={members} />;
    default:
      return <RemoveFromChannel {...props} user={asked.remove} />;
  }
}

function Row({ channel, open, onOpen }: { channel: Channel; open: boolean; onOpen: () => void }): JSX.Element {
  return (
    <tr data-open={open ? "" : undefined}>
      <th scope="row">
        <button type="button" class="row-button" aria-expanded={open} onClick={onOpen}>
          {channel.name}
        </button>
        {channel.member ? <span class="tag">You are in it</span> : null}
      </th>
      <td>{channel.kind === "public" ? "Public" : "Private"}</td>
      <td class="cell-number">{channel.members}</td>
      <td>
        {channel.archived_at === null ? (
          <span class="state">Open</span>
        ) : (
          <span class="state state-off">
            Archived <When at={channel.archived_at} />
          </span>
        )}
      </td>
    </tr>
  );
}

export function Channels(): JSX.Element {
  const found = usePages(() => whole(channels()));
  const open = useSignal("");
  const creating = useSignal(false);
  useEffect(found.reload, []);
  const chosen = found.all?.find(({ id }) => id === open.value);
  return (
    <div class="page page-wide">
      <div class="table-tools">
        <h1>Channels</h1>
        <button type="button" class="button" onClick={() => (creating.value = true)}>
          Create channel
        </button>
      </div>
      <p class="page-words">Rooms of your team. Everybody finds and may join public ones; of private ones only who is in them reads anything, admins as well.</p>
      <Pages of={found} what="channels" more="Show more" empty="No channels yet. Create one for what a team or a shift talks about.">
        {(all) => (
          <div class="table-box">
            <table class="table">
              <caption class="hidden-text">Channels</caption>
              <thead>
                <tr>
                  <th scope="col">Channel</th>
                  <th scope="col">Kind</th>
                  <th scope="col" class="cell-number">
                    Members
                  </th>
                  <th scope="col">State</th>
                </tr>
              </thead>
              <tbody>
                {all.map((channel) => (
                  <Row key={channel.id} channel={channel} open={open.value === channel.id} onOpen={() => (open.value = open.value === channel.id ? "" : channel.id)} />
                ))}
              </tbody>
            </table>
          </div>
        )}
      </Pages>
      {chosen ? <Detail key={chosen.id} channel={chosen} onDone={found.renew} /> : null}
      {creating.value ? <CreateChannel onDone={found.renew} onClose={() => (creating.value = false)} /> : null}
    </div>
  );
}
