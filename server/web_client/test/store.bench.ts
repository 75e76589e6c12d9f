/** What one event costs, decoded, with 200 of many conversations loaded: see also `cost.test.ts`. */
import { bench, describe } from "vitest";
import { Stream } from "./stream";

const EVENTS = 1000;

for (const conversations of [1000, 100_000]) {
  const stream = await Stream.open(conversations);
  describe(`${EVENTS} events of an inbox of ${conversations}`, () => {
    for (const perMessage of [1, 20]) {
      let events: ReturnType<Stream["events"]> = [];
      bench(`${perMessage} per message`, () => stream.apply(events, perMessage), {
        setup: (task) => {
          // Each run needs events that continue where the one before has ended.
          task.opts.beforeEach = () => {
            events = stream.events(EVENTS);
          };
        },
      });
    }
  });
}
