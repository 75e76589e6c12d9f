/** A customer's phone, simulated: text an inbox and read what comes back. */
import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { useEffect, useLayoutEffect, useRef } from "preact/hooks";
import { Empty } from "./bits";
import { phoneNumber } from "./format";
import { ChevronIcon, PlusIcon } from "./icons";
import { FileList } from "./media";
import { addPhone, burst, complainOf, phone, phones, problem, receive, sendText, texts, to, wrote, type Text } from "./phone_state";
import { visible } from "./screen";
import { numbers, race, raceWords, type OurNumber } from "./simulator";

const POLL_MS = 1_000;
const POLL_SLOW_MS = 5_000;

/** Looks for what came while the page is in sight; rarely while the server does not answer. */
function useArrivals(): void {
  const of = phone.value;
  const seen = visible.value;
  useEffect(() => {
    if (!seen || !of) return;
    let timer: ReturnType<typeof setTimeout>;
    let over = false;
    const look = async (): Promise<void> => {
      const next = await receive(of).then(
        () => POLL_MS,
        () => POLL_SLOW_MS,
      );
      if (!over) timer = setTimeout(() => void look(), next);
    };
    void look();
    return () => {
      over = true;
      clearTimeout(timer);
    };
  }, [of, seen]);
}

const STATES: Readonly<Record<Text["state"], readonly [string, string]>> = {
  sending: ["…", "Sending"],
  sent: ["✓", "Delivered"],
  failed: ["!", "Failed"],
  arrived: ["", ""],
};

/** Of this server, by whichever of its addresses. */
function pathOf(url: string): string {
  const { pathname, search } = new URL(url, location.origin);
  return pathname + search;
}

function TextLine({ item, names }: { item: Text; names: ReadonlyMap<string, string> }): JSX.Element {
  const [mark, words] = STATES[item.state];
  return (
    <div class={`group ${item.mine ? "group-team" : "group-customer"}`}>
      <div class="line" data-state={item.state}>
        {item.text || !item.media?.length ? (
          <div class="bubble">
            <p class="bubble-text" dir="auto">
              {item.text}
            </p>
          </div>
        ) : null}
        <FileList files={(item.media ?? []).map((file) => ({ file, url: pathOf(file.url) }))} />
        <p class={`delivery delivery-${item.state}`}>
          {item.mine ? (
            <>
              <span aria-hidden="true">{mark}</span> <span>{words}</span>
            </>
          ) : (
            <span>{names.get(item.other) ?? phoneNumber(item.other)}</span>
          )}
        </p>
      </div>
    </div>
  );
}

interface LogProps {
  readonly items: readonly Text[];
  readonly names: ReadonlyMap<string, string>;
  readonly nowhere: boolean;
}

function Log({ items, names, nowhere }: LogProps): JSX.Element {
  const box = useRef<HTMLDivElement>(null);
  useLayoutEffect(() => {
    box.current?.scrollTo({ top: box.current.scrollHeight });
  }, [items]);
  return (
    <div class="log" role="log" aria-label="Phone messages" tabIndex={0} ref={box}>
      <div class="log-content">
        {items.length ? (
          items.map((item) => <TextLine key={item.key} item={item} names={names} />)
        ) : nowhere ? (
          <Empty title="No number to text to yet">An admin adds one under Admin, Numbers, for an inbox.</Empty>
        ) : (
          <Empty title="No texts yet">Write one below. It arrives in the inbox like any customer's.</Empty>
        )}
      </div>
    </div>
  );
}

interface SelectProps {
  readonly label: string;
  readonly value: string;
  readonly options: readonly (readonly [string, string])[];
  readonly onChange: (value: string) => void;
}

function Select({ label, value, options, onChange }: SelectProps): JSX.Element {
  return (
    <label class="field field-inline">
      <span>{label}</span>
      <span class="picker">
        <select value={value} onChange={(event) => onChange(event.currentTarget.value)}>
          {options.map(([id, text]) => (
            <option key={id} value={id}>
              {text}
            </option>
          ))}
        </select>
        <ChevronIcon />
      </span>
    </label>
  );
}

export function Phone(): JSX.Element {
  const asked = useSignal<readonly OurNumber[] | null>(null);
  // Something to send at once: who tries this for the first time wants to see it arrive.
  const text = useSignal(Object.keys(texts.peek()).length ? "" : "Hi, is my order ready?");
  const busy = useSignal("");
  const result = useSignal("");
  useArrivals();
  useEffect(() => {
    numbers().then((found) => {
      asked.value = found;
      if (!found.some(({ number }) => number === to.peek())) to.value = found[0]?.number ?? "";
    }, complainOf);
  }, []);

  const ours = asked.value ?? [];
  const names = new Map(ours.map(({ number, name }) => [number, name]));
  const items = (texts.value[phone.value] ?? []).filter(({ other }) => other === to.value || names.size < 2 || !names.has(other));

  const during = async (what: string, work: () => Promise<unknown>): Promise<void> => {
    if (busy.peek() || !to.peek()) return;
    busy.value = what;
    result.value = problem.value = "";
    await work().catch(complainOf);
    busy.value = "";
  };
  const send = (): void => {
    const written = text.peek().trim();
    if (!written || !to.peek()) return;
    text.value = "";
    result.value = "";
    void sendText(written);
  };
  const runRace = async (): Promise<void> => {
    const from = addPhone();
    const words = "Five bots want this one.";
    const mark = wrote(from, to.peek(), words, "sending");
    const ended = await race(from, to.peek(), words);
    mark("sent");
    result.value = raceWords(ended);
  };

  return (
    <section class="phone" aria-label="Phone">
      <header class="phone-head">
        <h1>Phone</h1>
        <p class="page-words">A customer's phone, simulated. Nothing leaves this server.</p>
        <div class="phone-tools">
          <Select
            label="To"
            value={to.value}
            options={ours.map(({ number, name }) => [number, `${phoneNumber(number)} · ${name}`] as const)}
            onChange={(value) => (to.value = value)}
          />
          <Select label="From" value={phone.value} options={phones.value.map((number) => [number, phoneNumber(number)] as const)} onChange={(value) => (phone.value = value)} />
          <button type="button" class="button" onClick={() => addPhone()}>
            <PlusIcon />
            Phone
          </button>
          <span class="phone-experiments">
            <button type="button" class="button" aria-disabled={!!busy.value || !to.value} onClick={() => void during("burst", burst)}>
              {busy.value === "burst" ? "Sending 20…" : "Burst 20"}
            </button>
            <button type="button" class="button" aria-disabled={!!busy.value || !to.value} onClick={() => void during("race", runRace)}>
              {busy.value === "race" ? "Racing…" : "Race: 5 bots"}
            </button>
          </span>
        </div>
        <div role="status" aria-label="Result">
          {result.value ? <p class="phone-result">{result.value}</p> : null}
        </div>
        <div role="alert">{problem.value ? <p class="problem">{problem.value}</p> : null}</div>
      </header>
      <div class="phone-screen">
        <Log items={items} names={names} nowhere={asked.value?.length === 0} />
        <form
          class="composer phone-composer"
          onSubmit={(event) => {
            event.preventDefault();
            send();
          }}
        >
          <input class="composer-field" type="text" aria-label="Text message" placeholder="Text message" autocomplete="off" value={text.value} onInput={(event) => (text.value = event.currentTarget.value)} />
          <button type="submit" class="button button-primary" aria-disabled={!text.value.trim() || !to.value}>
            Send text
          </button>
        </form>
      </div>
    </section>
  );
}
