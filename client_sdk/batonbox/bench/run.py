"""`batonbox bench`: the workloads one after the other, on ground of their own."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Final

from batonbox._errors import BatonboxError
from batonbox._http import Http
from batonbox.bench.commander import Commander
from batonbox.bench.commands import commands
from batonbox.bench.fan_out import fan_out
from batonbox.bench.ground import Ground, prepared
from batonbox.bench.handshakes import handshakes, idle
from batonbox.bench.latency import latency
from batonbox.bench.opening import open_one, raise_file_limit
from batonbox.bench.plan import WORKLOADS, Plan, Result
from batonbox.bench.report import machine, verdict
from batonbox.bench.storm import storm

__all__ = ["Outcome", "run_bench"]

_OF: Final[dict[str, Callable[[Ground], Awaitable[Result]]]] = {
    "fanout": fan_out,
    "latency": latency,
    "idle": idle,
    "handshakes": handshakes,
    "commands": commands,
    "storm": storm,
}
# Besides the connections: standard streams, the loop's own, and those of HTTP requests.
_OTHER_FILES: Final = 32


@dataclass(slots=True)
class Outcome:
    """Everything that a run tells."""

    url: str
    client: dict[str, Any]
    server: dict[str, Any]
    results: list[Result] = field(default_factory=list)

    @property
    def right(self) -> bool:
        """Whether nothing was lost, doubled or out of order."""
        return all(result.right for result in self.results)

    def as_map(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "url": self.url,
            "client": self.client,
            "server": self.server,
            "workloads": {result.workload: result.as_map() for result in self.results},
            "verdict": verdict(self.results),
            "right": self.right,
        }

    def heading(self) -> str:
        """Who measured whom, in two lines."""
        client, server = self.client, self.server
        return (
            f"server  {self.url}, build {server['build']}, engine {server['engine']}\n"
            f"client  {client['cpu']}, {client['cores']} cores, {client['system']},"
            f" Python {client['python']}, batonbox {client['client']}, {client['loop']}"
        )


async def run_bench(
    plan: Plan, *, began: Callable[[Outcome], None], shown: Callable[[Result], None]
) -> Outcome:
    """Run what the plan names; `shown` gets each result when it is there.

    Raises BatonboxError: no server, a wrong token, no admin's, or one that went away meanwhile.
    """
    _enough_files(plan)
    server = await _engine_of(plan)
    async with prepared(plan) as ground:
        server["build"] = await _build(ground)
        loop = type(asyncio.get_running_loop()).__module__.partition(".")[0]
        outcome = Outcome(plan.url, machine(loop=loop), server)
        began(outcome)
        for name in (name for name in WORKLOADS if name in plan.only):
            result = await _OF[name](ground)
            outcome.results.append(result)
            shown(result)
    return outcome


async def _engine_of(plan: Plan) -> dict[str, Any]:
    """Also tells, before anything is made, whether there is a server."""
    ready = await Http(plan.url, plan.token, timeout_s=plan.timeout_s).send("GET", "/readyz")
    engine = ready["engine"]
    return {"build": "", "engine": f"{engine['name']} {engine['version']}"}


async def _build(ground: Ground) -> str:
    link = await open_one(lambda: Commander(ground.address, ground.token(0)))
    link.close()
    return str(link.welcome[5])


def _enough_files(plan: Plan) -> None:
    limit = raise_file_limit()
    most = max(plan.count(name) for name in plan.only) + _OTHER_FILES
    if limit < most:
        raise BatonboxError(
            f"this process may open {limit} files and needs {most}: raise it (ulimit -n {most}),"
            " or take fewer --clients"
        )
