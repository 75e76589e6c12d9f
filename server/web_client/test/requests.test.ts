import { describe, expect, test } from "vitest";
import { Requests, WAITING_MAX, type Answer } from "../src/store/requests";
import { Op } from "../src/wire";

const refusal = (slug: string, retryMs: number | null = null): Answer => ({
  kind: "refused",
  refusal: { slug, message: "", retryMs, cur: null },
});

function asked(verb: string): { requests: Requests; answers: Answer[] } {
  const requests = new Requests();
  const answers: Answer[] = [];
  const args = verb === "" ? ["sales", "done"] : [verb, { cid: "u1" }];
  requests.add(verb === "" ? Op.PAGE : Op.CMD, args, (answer) => answers.push(answer), { verb });
  return { requests, answers };
}

describe("requests", () => {
  test("at most so many are under way, in their order", () => {
    const requests = new Requests();
    requests.inFlight = 2;
    for (let i = 0; i < 3; i++) requests.add(Op.PAGE, [i], () => undefined);
    expect(requests.due(0)).toEqual([[Op.PAGE, 1, 0], [Op.PAGE, 2, 1]]);
    requests.settle(1, { kind: "ok", result: {} }, 0);
    expect(requests.due(0)).toEqual([[Op.PAGE, 3, 2]]);
  });

  test("unanswered ones are sent again under the same id, once answered", () => {
    const { requests, answers } = asked("reply");
    const [first] = requests.due(0);
    requests.requeue();
    expect(requests.due(5)).toEqual([first]);
    requests.settle(1, { kind: "ok", result: {} }, 6);
    requests.settle(1, { kind: "ok", result: {} }, 7); // from the connection before
    expect(answers).toHaveLength(1);
  });

  test.each([
    ["assign", 60_000],
    ["reply", 12 * 3600_000],
  ])("%s is not sent again after %d ms: its outcome is unknown", (verb, ms) => {
    for (const late of [false, true]) {
      const { requests, answers } = asked(verb);
      requests.due(0);
      requests.requeue();
      requests.expire(late ? ms + 1 : ms);
      expect(answers).toEqual(late ? [{ kind: "unknown" }] : []);
    }
  });

  test("reads may always be asked again", () => {
    const { requests, answers } = asked("");
    requests.due(0);
    requests.requeue();
    requests.expire(1e12);
    expect([requests.due(1e12).length, answers.length]).toEqual([1, 0]);
  });

  test("a rate limit is waited for, then asked again by itself", () => {
    const { requests, answers } = asked("assign");
    requests.due(0);
    requests.settle(1, refusal("rate_limited", 300), 0);
    expect([answers.length, requests.due(299).length, requests.nextDueMs()]).toEqual([0, 0, 300]);
    expect(requests.due(300)).toHaveLength(1);
  });

  test("an unreachable engine: replies wait for it, decisions are a person's again", () => {
    const reply = asked("reply");
    reply.requests.due(0);
    reply.requests.settle(1, refusal("unavailable"), 0);
    expect(reply.answers).toEqual([]);
    const assign = asked("assign");
    assign.requests.due(0);
    assign.requests.settle(1, refusal("unavailable"), 0);
    expect(assign.answers).toHaveLength(1);
  });

  test("the line of those that wait is bounded", () => {
    const requests = new Requests();
    for (let i = 0; i < WAITING_MAX; i++) requests.add(Op.PAGE, [], () => undefined);
    expect(requests.add(Op.PAGE, [], () => undefined)).toBeNull();
  });
});
