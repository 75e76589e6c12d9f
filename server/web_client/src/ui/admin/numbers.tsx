/** Phone numbers: where each delivers, what no inbox has, and why messages do not appear. */
import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { useEffect, useRef } from "preact/hooks";
import "../../styles/routing.css";
import { useStore } from "../context";
import { phoneNumber } from "../format";
import { focusSoon } from "../places";
import { complain, say } from "../toasts";
import { wordsOf } from "./api";
import { Confirm } from "./confirm";
import { NumberCheck, useChecking } from "./number_check";
import { NumberDialog } from "./number_dialog";
import { Pages, usePages, whole } from "./paging";
import { pollWhileVisible } from "./polling";
import { carriers, changeNumber, deleteNumber, inboxes, kept, numbers } from "./routing_api";
import type { AdminInbox, Kept, PhoneNumber } from "./routing_words";
import { UnroutedMessages } from "./unrouted";

const KEPT_MS = 5_000;

type Act = "edit" | "check" | "switch" | "unassign" | "delete";
type Doing = { readonly what: "add" } | { readonly what: Act; readonly number: PhoneNumber };

function Row({ one, inbox, carrier, onDo }: { one: PhoneNumber; inbox: AdminInbox | undefined; carrier: string; onDo: (what: Act) => void }): JSX.Element {
  const name = phoneNumber(one.number);
  const button = (what: Act, label: string, words: string): JSX.Element => (
    <button key={what} type="button" class="button button-small" aria-label={words} onClick={() => onDo(what)}>
      {label}
    </button>
  );
  return (
    <tr>
      <th scope="row" class="cell-time">
        {name}
      </th>
      <td>{carrier}</td>
      <td>
        <button type="button" role="switch" class="switch" aria-checked={one.messaging} aria-label={`Messaging of ${name}`} onClick={() => onDo("switch")}>
          {one.messaging ? "On" : "Off"}
        </button>
      </td>
      <td>{one.inbox ? (inbox?.name ?? one.inbox) : <span class="soft">nowhere</span>}</td>
      <td class="cell-number">{one.kept || ""}</td>
      <td class="cell-acts">
        {one.inbox ? button("unassign", "Unassign", `Unassign ${name}`) : null}
        {button("edit", one.inbox ? "Edit" : "Route", `${one.inbox ? "Edit" : "Route"} ${name}`)}
        {button("check", "Check", `Check ${name}`)}
        {button("delete", "Delete", `Delete ${name}`)}
      </td>
    </tr>
  );
}

const idsOf = (all: readonly Kept[]): string => all.map(({ id }) => id).join(" ");

/** Kept messages come without an ORG frame: while somebody looks, it is seen whether there are others than are shown. */
function useNews(shown: readonly Kept[] | null, onNews: () => void): void {
  const now = useRef(shown);
  now.current = shown;
  useEffect(
    () =>
      pollWhileVisible(KEPT_MS, async () => {
        const found = await kept().catch(() => null);
        if (found && now.current && idsOf(found) !== idsOf(now.current)) onNews();
      }),
    [],
  );
}

export function Numbers(): JSX.Element {
  const store = useStore();
  const found = usePages(() => whole(numbers()));
  const boxes = usePages(() => whole(inboxes()));
  const unrouted = usePages(() => whole(kept()));
  const known = usePages(() => whole(carriers()));
  const checking = useChecking();
  const doing = useSignal<Doing | null>(null);
  const add = useRef<HTMLButtonElement>(null);
  const renew = async (): Promise<void> => {
    await Promise.all([found.renew(), boxes.renew(), unrouted.renew()]);
  };
  const reload = (): void => void renew();
  useEffect(reload, [store.inboxes.value, store.people.value]);
  useEffect(known.reload, []);
  useNews(unrouted.all, reload);
  const all = found.all ?? [];
  const places = boxes.all ?? [];
  const placeOf = (one: PhoneNumber): AdminInbox | undefined => places.find(({ id }) => id === one.inbox);
  const close = (): void => {
    doing.value = null;
  };
  const turn = async (one: PhoneNumber, messaging: boolean): Promise<void> => {
    try {
      await changeNumber(one.number, { messaging });
      const back = { label: "Undo", run: () => void turn(one, !messaging) };
      say(`Messaging of ${phoneNumber(one.number)} is ${messaging ? "on." : "off: what customers write to it is kept as unrouted."}`, { action: back });
    } catch (error) {
      complain(wordsOf(error));
    }
    reload();
  };
  const begin = (what: Act, number: PhoneNumber): void => {
    if (what === "switch") return void turn(number, !number.messaging);
    if (what !== "check") doing.value = { what, number };
    else {
      checking.run(number.number, false);
      document.getElementById("check-heading")?.focus();
    }
  };
  const ended = (): void => {
    reload();
    if (now?.what === "delete") focusSoon(() => add.current); // its row is gone
  };
  const now = doing.value;
  const lookable = [...new Set([...all.map(({ number }) => number), ...(unrouted.all ?? []).map(({ to }) => to)])];
  return (
    <div class="page page-wide">
      <div class="table-tools">
        <h1>Numbers</h1>
        <button type="button" class="button" ref={add} onClick={() => (doing.value = { what: "add" })}>
          Add number
        </button>
      </div>
      <p class="page-words">What customers write to a number arrives in the inbox that it delivers to. Moved to another inbox, nothing is lost on the way.</p>
      <Pages of={found} what="numbers" more="Show more" empty="No numbers yet. Add one, and say which inbox it delivers to.">
        {() => (
          <div class="table-box">
            <table class="table">
              <caption class="hidden-text">Numbers</caption>
              <thead>
                <tr>
                  <th scope="col">Number</th>
                  <th scope="col">Carrier</th>
                  <th scope="col">Messaging</th>
                  <th scope="col">Delivers to</th>
                  <th scope="col" class="cell-number">Kept</th>
                  <th scope="col">
                    <span class="hidden-text">Actions</span>
                  </th>
                </tr>
              </thead>
              <tbody>
                {all.map((one) => (
                  <Row key={one.number} one={one} inbox={placeOf(one)} carrier={known.all?.find(({ id }) => id === one.carrier)?.name || one.carrier} onDo={(what) => begin(what, one)} />
                ))}
              </tbody>
            </table>
          </div>
        )}
      </Pages>
      <UnroutedMessages of={unrouted} numbers={all} inboxes={places} onChange={reload} />
      <NumberCheck numbers={lookable} checking={checking} />
      {now?.what === "add" || now?.what === "edit" ? (
        <NumberDialog number={now.what === "edit" ? now.number : null} known={all} carriers={known.all ?? []} inboxes={places} onDone={renew} onClose={close} />
      ) : null}
      {now?.what === "unassign" || now?.what === "delete" ? <Ending what={now.what} one={now.number} inbox={placeOf(now.number)} onDone={ended} onClose={close} /> : null}
    </div>
  );
}

interface EndingProps {
  readonly what: "unassign" | "delete";
  readonly one: PhoneNumber;
  readonly inbox: AdminInbox | undefined;
  readonly onDone: () => void;
  readonly onClose: () => void;
}

function Ending({ what, one, inbox, onDone, onClose }: EndingProps): JSX.Element {
  const name = phoneNumber(one.number);
  const stays = inbox ? ` The conversations stay in ${inbox.name}.` : "";
  const act = async (): Promise<void> => {
    if (what === "delete") await deleteNumber(one.number);
    else await changeNumber(one.number, { inbox: null });
    say(what === "delete" ? `${name} is deleted.` : `${name} delivers nowhere.`);
  };
  return what === "delete" ? (
    <Confirm label="Delete number" words={`${name} is no longer one of your numbers: what customers write to it is kept as unrouted.${stays}`} button="Delete number" act={act} onDone={onDone} onClose={onClose} />
  ) : (
    <Confirm label="Unassign number" words={`${name} delivers nowhere from now on: what customers write to it is kept as unrouted.${stays}`} button="Unassign" act={act} onDone={onDone} onClose={onClose} />
  );
}
