"""Commands per second: each agent assigns its conversation, returns it, and again."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from batonbox._errors import BatonboxError, ConnectionLost, RateLimited
from batonbox._wire import Frame
from batonbox.bench.commander import Commander, failure
from batonbox.bench.ground import Ground
from batonbox.bench.meter import Meter, quiet, until
from batonbox.bench.plan import Result, percentiles
from batonbox.bench.remedies import of_ends, of_refusals
from batonbox.bench.server import cpu_each, usage
from batonbox.bench.subscriber import Audience

__all__ = ["Worker", "commands"]

_CONNECTIONS = 16
_LAST_S = 15.0


class Worker:
    """One conversation in a closed loop: one command in flight until `stop`.

    A refusal ends the loop, unless it says when to come again: nobody else acts here.
    """

    def __init__(self, commander: Commander, conv: str, *, run: str) -> None:
        self.took_s: list[float] = []
        self.top = 0
        self.idle: bool = True
        self.failed: BatonboxError | None = None
        self._commander, self._conv, self._run = commander, conv, run
        self._own_tok = ""
        self._stopped = False
        self._number = 0

    def begin(self) -> None:
        """Send the first command."""
        self.idle = False
        self._next()

    def stop(self) -> None:
        """Send nothing after the answer to what is in flight."""
        self._stopped = True

    def _next(self) -> None:
        self._number += 1
        name, args = "assign", {"conv": self._conv, "cid": f"{self._run}.{self._number}"}
        if self._own_tok:
            name, args["own_tok"] = "return", self._own_tok
        self._commander.command(name, args, self._answered_at(time.perf_counter()))

    def _answered_at(self, sent_s: float) -> Callable[[Frame], None]:
        def then(frame: Frame) -> None:
            error = failure(frame)
            if error is None:
                self.took_s.append(time.perf_counter() - sent_s)
                self.top = int(frame[2]["seq"])
                self._own_tok = "" if self._own_tok else frame[2]["own_tok"]
            elif isinstance(error, RateLimited) and not self._stopped:
                asyncio.get_running_loop().call_later(error.retry_after_s, self._next)
                return
            else:
                self.failed = error
            if self._stopped or self.failed is not None:
                self.idle = True
            else:
                self._next()

        return then


async def commands(ground: Ground) -> Result:
    """A watcher follows the inbox: whatever was acknowledged has to reach it, once, in order."""
    plan, audience = ground.plan, Audience()
    convs = ground.conversations[: plan.count("commands")]
    plan.progress(f"commands: {len(convs)} conversations, one command at a time in each")
    commanders = await ground.commanders(min(_CONNECTIONS, len(convs)))
    watchers = await ground.subscribers(audience, 1)
    workers = [
        Worker(commanders[n % len(commanders)], conv, run=f"{plan.run}.{n}")
        for n, conv in enumerate(convs)
    ]
    try:
        with quiet():
            for worker in workers:
                worker.begin()
            await asyncio.sleep(plan.warm_up_s)
            for worker in workers:
                worker.took_s.clear()
            before, meter = await usage(ground.http), Meter()
            await asyncio.sleep(plan.seconds)
            took_s = [one for worker in workers for one in worker.took_s]
            seconds, busy = meter.seconds, meter.busy
            after = await usage(ground.http)
        await _ended(workers, commanders)
        upto = {ground.inbox: max(worker.top for worker in workers)}
        await audience.until(upto, timeout_s=_LAST_S)
        account, notes = audience.account(upto), of_ends(watchers)
    finally:
        for link in (*commanders, *watchers):
            link.close()
    figures = {
        "conversations": len(convs),
        "connections": len(commanders),
        "commands_per_s": round(len(took_s) / seconds),
        **cpu_each(before, after, len(took_s)),
        **percentiles(took_s),
    }
    notes += of_refusals(_sum([commander.refused for commander in commanders]))
    return Result(
        workload="commands", figures=figures, account=account, client_busy=busy, notes=notes
    )


async def _ended(workers: list[Worker], commanders: list[Commander]) -> None:
    """Until every answer is here; raises ConnectionLost, or why a worker gave up."""
    for worker in workers:
        worker.stop()
    await until(lambda: all(worker.idle for worker in workers), timeout_s=_LAST_S)
    for commander in commanders:
        if commander.ended:
            raise ConnectionLost(commander.ended)
    for worker in workers:
        if worker.failed is not None:
            raise worker.failed


def _sum(counts: list[dict[str, int]]) -> dict[str, int]:
    total: dict[str, int] = {}
    for count in counts:
        for name, number in count.items():
            total[name] = total.get(name, 0) + number
    return total
