/** Saying that I am away, or back: shown at once, and kept until the organisation says it. */
import type { Outcome, Person } from "../contract";
import { Op } from "../wire";
import { OK, refused, type ActsIo } from "./acts";
import type { Core } from "./core";
import type { Answer } from "./requests";

/** For so long the organisation's word may follow the answer. */
const WORD_MS = 5000;

export class Away {
  constructor(
    private readonly core: Core,
    private readonly io: ActsIo,
  ) {}

  set(away: boolean, release: boolean): Promise<Outcome> {
    const { core } = this;
    if (!this.io.live()) {
      core.notice({ kind: "offline" });
      return Promise.resolve(refused("offline", "There is no connection; nothing was changed."));
    }
    const mode: Person["away"] = !away ? "" : release ? "release" : "away";
    const args = { cid: this.io.cid(), away, release };
    return new Promise((resolve) => {
      const answered = (answer: Answer): void => resolve(this.settled(mode, answer));
      core.step(() => {
        core.others.wish.value = mode;
        if (core.out.ask(Op.CMD, ["set_away", args], answered, { verb: "set_away" })) return;
        answered({ kind: "refused", refusal: { slug: "offline", message: "", retryMs: null, cur: null } });
      });
    });
  }

  private settled(mode: Person["away"], answer: Answer): Outcome {
    const { core } = this;
    const drop = (): void => {
      if (core.others.wish.peek() === mode) core.others.wish.value = null;
    };
    if (answer.kind === "ok") {
      if (core.me.peek()?.away === mode) drop();
      else core.out.later(WORD_MS, () => core.step(drop));
      return OK("");
    }
    drop();
    if (answer.kind === "unknown") return refused("unknown", "There was no answer in time; look at what it is now.");
    const { slug, message } = answer.refusal;
    core.notice({ kind: "refused", conv: "", slug, message });
    return refused(slug, message);
  }
}
