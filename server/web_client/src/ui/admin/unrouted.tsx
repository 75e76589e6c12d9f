/** Messages that no inbox has: by number, why, and what is to become of them. */
import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { useRef } from "preact/hooks";
import { customerName, useStore } from "../context";
import { phoneNumber } from "../format";
import { focusSoon } from "../places";
import { say } from "../toasts";
import { Confirm } from "./confirm";
import { FormDialog } from "./form_dialog";
import { Choice, inboxOptions } from "./number_fields";
import { Pages, type Paged } from "./paging";
import { discardKept, routeKept } from "./routing_api";
import { byNumber, keptText, messagesWords, reasonWords, routedWords, type AdminInbox, type Kept, type KeptGroup, type PhoneNumber } from "./routing_words";
import { When } from "./when";

const SHOWN = 20;

interface RouteProps {
  readonly group: KeptGroup;
  readonly number: PhoneNumber | undefined;
  readonly inboxes: readonly AdminInbox[];
  readonly onDone: () => void;
  readonly onClose: () => void;
}

function RouteDialog({ group, number, inboxes, onDone, onClose }: RouteProps): JSX.Element {
  const chosen = useSignal("");
  const fixed = inboxes.find(({ id }) => id === number?.inbox);
  const count = messagesWords(group.messages.length);
  const act = async (): Promise<void> => {
    const { inbox, delivered, left } = await routeKept(group.number, fixed ? null : chosen.peek());
    say(routedWords(group.number, inboxes.find(({ id }) => id === inbox)?.name ?? inbox, delivered, left));
    onDone();
  };
  const check = (): string => (fixed || chosen.peek() ? "" : "Choose the inbox that shall have them.");
  return (
    <FormDialog label={`Route ${phoneNumber(group.number)}`} button="Route it" check={check} act={act} onClose={onClose}>
      <p class="dialog-words">
        {fixed
          ? `${count} will be delivered to ${fixed.name}, where this number delivers.`
          : `${count} will be delivered, in order and each once. From then on this number delivers there.`}
      </p>
      {fixed ? null : <Choice label="Deliver to" value={chosen.value} onPick={(id) => (chosen.value = id)} options={inboxOptions(inboxes, "Choose an inbox")} first />}
    </FormDialog>
  );
}

function Messages({ group }: { group: KeptGroup }): JSX.Element {
  const store = useStore();
  const rest = group.messages.length - SHOWN;
  return (
    <>
      <div class="table-box">
        <table class="table">
          <caption class="hidden-text">{`Unrouted messages to ${phoneNumber(group.number)}, newest first`}</caption>
          <thead>
            <tr>
              <th scope="col">From</th>
              <th scope="col">When</th>
              <th scope="col">Message</th>
              <th scope="col">Why</th>
            </tr>
          </thead>
          <tbody>
            {group.messages.slice(0, SHOWN).map((one) => (
              <tr key={one.id}>
                <th scope="row" class="cell-time" title={phoneNumber(one.from)}>
                  {customerName(store, one.from)}
                </th>
                <td class="cell-time">
                  <When at={one.at} none="unknown" exact />
                </td>
                <td class="cell-wide cell-text">{keptText(one)}</td>
                <td class="cell-why">{reasonWords(one.reason)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      {rest > 0 ? <p class="soft">{`And ${messagesWords(rest)} from before.`}</p> : null}
    </>
  );
}

interface Props {
  readonly of: Paged<Kept>;
  readonly numbers: readonly PhoneNumber[];
  readonly inboxes: readonly AdminInbox[];
  readonly onChange: () => void;
}

export function UnroutedMessages({ of, numbers, inboxes, onChange }: Props): JSX.Element {
  const doing = useSignal<{ what: "route" | "discard"; group: KeptGroup } | null>(null);
  const heading = useRef<HTMLHeadingElement>(null);
  const now = doing.value;
  /** What was acted on is gone, and its buttons with it. */
  const done = (): void => {
    onChange();
    focusSoon(() => heading.current);
  };
  const close = (): void => {
    doing.value = null;
  };
  return (
    <section aria-labelledby="unrouted-heading">
      <h2 id="unrouted-heading" tabIndex={-1} ref={heading}>
        Unrouted messages
      </h2>
      <Pages of={of} what="unrouted messages" more="Show more" empty="None. What customers write to a number that delivers nowhere is kept here.">
        {(all) =>
          byNumber(all).map((group) => {
            const name = phoneNumber(group.number);
            return (
              <section key={group.number} class="kept-group" aria-label={`Unrouted messages to ${name}`}>
                <div class="table-tools">
                  <h3>{`${name} · ${messagesWords(group.messages.length)}`}</h3>
                  <div class="tools">
                    <button type="button" class="button button-small" onClick={() => (doing.value = { what: "route", group })}>
                      Route it…
                    </button>
                    <button type="button" class="button button-small" onClick={() => (doing.value = { what: "discard", group })}>
                      Discard
                    </button>
                  </div>
                </div>
                <Messages group={group} />
              </section>
            );
          })
        }
      </Pages>
      {now?.what === "route" ? (
        <RouteDialog group={now.group} number={numbers.find(({ number }) => number === now.group.number)} inboxes={inboxes} onDone={done} onClose={close} />
      ) : null}
      {now?.what === "discard" ? (
        <Confirm
          label="Discard messages"
          words={`What is kept for ${phoneNumber(now.group.number)} is thrown away: ${messagesWords(now.group.messages.length)}. Nobody will be able to read it any more.`}
          button="Discard"
          act={async () => {
            await discardKept(now.group.number);
            say(`What was kept for ${phoneNumber(now.group.number)} is discarded.`);
          }}
          onDone={done}
          onClose={close}
        />
      ) : null}
    </section>
  );
}
