import { effect } from "@preact/signals";
import { beforeEach, expect, test } from "vitest";
import type { ContactName } from "../src/contract";
import { BATCH, Contacts, KEPT_MAX } from "../src/store/contacts";
import { Op } from "../src/wire";
import { Clock, settle } from "./environment";

type Names = Record<string, ContactName>;

const number = (n: number): string => `+1416555${String(n).padStart(4, "0")}`;

let clock: Clock;
let asked: (readonly string[])[];
let answers: ((names: Names | null) => void)[];
let contacts: Contacts;

beforeEach(() => {
  clock = new Clock();
  asked = [];
  answers = [];
  contacts = new Contacts({
    lookup: (numbers) => {
      asked.push(numbers);
      return new Promise((resolve, reject) => answers.push((names) => (names === null ? reject(new Error("down")) : resolve((names as unknown) === "bad" ? null : names))));
    },
    later: (ms, run) => clock.later(ms, run),
  });
});

async function answer(names: Names | null): Promise<void> {
  answers.shift()?.(names);
  await settle();
}

const show = (n: number): { now: () => string | undefined; stop: () => void } => {
  let name: string | undefined;
  const stop = effect(() => void (name = contacts.contact(number(n)).value?.name));
  return { now: () => name, stop };
};

test("numbers are gathered and asked for at once, in batches", async () => {
  const seen = Array.from({ length: BATCH + 20 }, (_, n) => show(n));
  expect(asked).toEqual([]);
  clock.pass(20);
  expect(asked.map((one) => one.length)).toEqual([BATCH]);
  await answer({ [number(3)]: { id: "c1", name: "Lee & Sons" } });
  clock.pass(0);
  expect(asked.map((one) => one.length)).toEqual([BATCH, 20]);
  await answer({});
  expect(seen[3]?.now()).toBe("Lee & Sons");
  expect(seen[4]?.now()).toBeUndefined();
  clock.pass(60_000);
  expect(asked).toHaveLength(2);
});

test("what is no number is not asked for", () => {
  contacts.contact("");
  contacts.contact("someone");
  clock.pass(1000);
  expect(asked).toEqual([]);
});

test("a change is shown, whatever an older answer says", async () => {
  const seen = show(1);
  clock.pass(20);
  contacts.told([Op.CONTACTS, { [number(1)]: { id: "c1", name: "New" } }]);
  await answer({ [number(1)]: { id: "c1", name: "Old" } });
  expect(seen.now()).toBe("New");
  contacts.told([Op.CONTACTS, { [number(1)]: null, [number(2)]: { id: "c2", name: "Not asked" } }]);
  expect(seen.now()).toBeUndefined();
});

test("when all is to be forgotten, what is shown stays until it is known again", async () => {
  const seen = show(1);
  const gone = show(2);
  clock.pass(20);
  await answer({ [number(1)]: { id: "c1", name: "Before" }, [number(2)]: { id: "c2", name: "Gone" } });
  gone.stop();
  contacts.told([Op.CONTACTS, null]);
  expect(seen.now()).toBe("Before");
  clock.pass(20);
  expect(asked.at(-1)).toEqual([number(1)]);
  await answer({ [number(1)]: { id: "c1", name: "After" } });
  expect(seen.now()).toBe("After");
  show(2);
  clock.pass(20);
  expect(asked.at(-1)).toEqual([number(2)]);
});

test("a server that does not answer is asked again, not at once", async () => {
  const seen = show(1);
  clock.pass(20);
  await answer(null);
  clock.pass(1000);
  expect(asked).toHaveLength(1);
  clock.pass(5000);
  expect(asked).toHaveLength(2);
  await answer({ [number(1)]: { id: "c1", name: "There" } });
  expect(seen.now()).toBe("There");
});

test("with a new connection it is asked again at once, whatever failed before", async () => {
  const seen = show(1);
  clock.pass(20);
  await answer(null);
  contacts.refresh();
  clock.pass(20);
  expect(asked).toHaveLength(2);
  contacts.refresh(); // while that one is under way, and about to fail
  await answer(null);
  clock.pass(20);
  expect(asked).toHaveLength(3);
  await answer({ [number(1)]: { id: "c1", name: "There" } });
  expect(seen.now()).toBe("There");
  clock.pass(60_000);
  expect(asked).toHaveLength(3);
});

test("what the server takes for no number holds nobody up", async () => {
  const seen = [show(1), show(2), show(3), show(4)];
  clock.pass(20);
  for (let turn = 0; turn < 12 && answers.length > 0; turn += 1) {
    const batch = asked.at(-1) as readonly string[];
    const bad = batch.includes(number(3));
    const names = Object.fromEntries(batch.map((one) => [one, { id: one, name: `Who has ${one.slice(-1)}` }]));
    await answer(bad ? ("bad" as unknown as Names) : names);
    clock.pass(0);
  }
  expect(seen.map(({ now }) => now())).toEqual(["Who has 1", "Who has 2", undefined, "Who has 4"]);
  clock.pass(60_000);
  expect(answers).toHaveLength(0);
});

test("names that nobody looks at are let go of, those on a screen are not", async () => {
  const seen = show(0);
  clock.pass(20);
  await answer({ [number(0)]: { id: "c1", name: "Kept" } });
  for (let n = 1; n <= KEPT_MAX + 10; n += 1) contacts.contact(`+49${n}00`);
  contacts.told([Op.CONTACTS, { [number(0)]: { id: "c1", name: "Renamed" } }]);
  expect(seen.now()).toBe("Renamed");
  expect((contacts as unknown as { entries: Map<string, unknown> }).entries.size).toBeLessThanOrEqual(KEPT_MAX);
});

test("a new connection asks at once, whatever became of what was asked on the one before", async () => {
  const lee = show(1);
  clock.pass(20);
  await answer(null); // the network is away: a pause
  contacts.refresh();
  clock.pass(20);
  expect(asked).toHaveLength(2);
  contacts.refresh(); // and again, without an answer
  clock.pass(20);
  expect(asked).toHaveLength(3);
  answers[1]?.({ [number(1)]: { id: "c1", name: "Lee" } });
  await answer({}); // of the round before: it does not count
  expect(lee.now()).toBe("Lee");
  clock.pass(60_000);
  expect(asked).toHaveLength(3);
});
