"""How long things wait: the plan's workers and engine as queues, with bursts and a storm.

A seeded discrete-event simulation. A command or a customer's message takes its turn at a worker, at
the engine, and then at every worker that follows the inbox, which hands the event to its listeners.
What it leaves out: the network, the disk's own pauses, and the garbage collector's.
"""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from statistics import quantiles
from typing import Final

from batonbox_server.capacity import Costs, Demand, Plan, followed

__all__ = ["BACK_S", "Simulated", "simulate"]

# More than these would take longer than anybody waits for an answer.
_JOBS_MOST: Final = 150_000
_SECONDS: Final = (5.0, 60.0)
_SHAPE: Final = (
    4.0  # of service times: a gamma distribution, a quarter of an exponential's variance
)
_BURST: Final = 2.0  # in a burst so many times the rate, for half a second out of five
_BURST_S: Final = 0.5
_BURST_EVERY_S: Final = 5.0
BACK_S: Final = 5.0  # clients that were cut off come back spread over this
_RETRY_S: Final = 2.0  # and those who were turned away after about this


@dataclass(frozen=True, slots=True, kw_only=True)
class Simulated:
    """Shares of a core that were busy, and how long it took from a command to all its listeners.

    `storm_s`: until everybody was back; the `storm_` latencies are those of commands meanwhile.
    """

    seconds: float
    worker_share: float
    engine_share: float
    p50_ms: float
    p99_ms: float
    storm_s: float
    storm_p99_ms: float
    refused: int


@dataclass(frozen=True, slots=True)
class _Work:
    """What an event takes of a worker that follows: up to its last listener, and after."""

    began_s: float
    cost_us: float
    after_us: float


@dataclass(slots=True)
class _Server:
    """One core: what comes waits until all that came before is done."""

    free_at_s: float = 0.0
    busy_s: float = 0.0

    def serve(self, now_s: float, takes_s: float) -> float:
        """When it is done."""
        self.free_at_s = max(now_s, self.free_at_s) + takes_s
        self.busy_s += takes_s
        return self.free_at_s


@dataclass(slots=True)
class _Site:
    demand: Demand
    plan: Plan
    costs: Costs
    chance: random.Random
    engine: _Server = field(default_factory=_Server)
    workers: list[_Server] = field(default_factory=list)
    due: list[tuple[float, int, Callable[[float], None]]] = field(default_factory=list)
    took_s: list[float] = field(default_factory=list)
    storm_took_s: list[float] = field(default_factory=list)
    admitted_s: list[float] = field(default_factory=list)
    number: int = 0
    back: int = 0
    back_at_s: float = 0.0
    storm_at_s: float = float("inf")
    refused: int = 0

    def at(self, when_s: float, what: Callable[[float], None]) -> None:
        """Do it then; of the same time in the order in which it was asked for."""
        self.number += 1
        heapq.heappush(self.due, (when_s, self.number, what))

    def run(self) -> None:
        """Until nothing is due."""
        while self.due:
            now_s, _, what = heapq.heappop(self.due)
            what(now_s)

    def takes(self, mean_us: float) -> float:
        """A service time in seconds."""
        if mean_us <= 0:
            return 0.0
        return self.chance.gammavariate(_SHAPE, mean_us / _SHAPE) / 1e6


def simulate(
    demand: Demand, plan: Plan, *, costs: Costs | None = None, seed: int = 1, storm: bool = True
) -> Simulated:
    """Some seconds of the busiest time; `storm`: half-way all connections are cut off at once."""
    costs = costs or Costs()
    site = _Site(demand, plan, costs, random.Random(seed))  # noqa: S311
    site.workers = [_Server() for _ in range(plan.workers)]
    seconds = _horizon(plan)
    _arrivals(site, seconds)
    quiet_s = seconds
    if storm:
        quiet_s = site.storm_at_s = seconds / 2
        site.admitted_s = [0.0] * plan.workers
        _storm(site, quiet_s)
    site.run()
    calm, rough = _cuts(site.took_s), _cuts(site.storm_took_s)
    ended_s = max(seconds, site.back_at_s)
    return Simulated(
        seconds=ended_s,
        worker_share=sum(worker.busy_s for worker in site.workers) / plan.workers / ended_s,
        engine_share=site.engine.busy_s / ended_s,
        p50_ms=calm[49],
        p99_ms=calm[98],
        storm_s=max(0.0, site.back_at_s - quiet_s) if storm else 0.0,
        storm_p99_ms=rough[98],
        refused=site.refused,
    )


def _horizon(plan: Plan) -> float:
    jobs_per_s = max(1e-9, plan.events_per_s * (2 + plan.workers))
    return max(_SECONDS[0], min(_SECONDS[1], _JOBS_MOST / jobs_per_s))


def _arrivals(site: _Site, seconds: float) -> None:
    """Customers' messages and members' commands, each by chance, more of them in bursts."""
    mean = site.demand.messages_per_s
    share = _BURST_S / _BURST_EVERY_S
    calm = mean / (1 + share * (_BURST - 1))
    costs, replies = site.costs, site.demand.replies
    # A reply is three events: queued, sent, delivered.
    reply = partial(_comes, site, costs.worker_reply_us / 3, costs.engine_reply_us / 3)
    for rate, what in (
        (1.0, partial(_comes, site, costs.worker_intake_us, costs.engine_intake_us)),
        (1.0, partial(_opens, site)),
        (3 * replies, reply),
        (
            site.demand.changes,
            partial(_comes, site, costs.worker_change_us, costs.engine_change_us),
        ),
    ):
        now_s = 0.0
        while rate * calm > 0:
            burst = now_s % _BURST_EVERY_S < _BURST_S
            now_s += site.chance.expovariate(rate * calm * (_BURST if burst else 1.0))
            if now_s >= seconds:
                break
            site.at(now_s, what)


def _opens(site: _Site, now_s: float) -> None:
    """Somebody reads a thread: nobody hears of it."""
    done_s = site.chance.choice(site.workers).serve(now_s, site.takes(site.costs.worker_open_us))
    site.engine.serve(done_s, site.takes(site.costs.engine_open_us))


def _comes(site: _Site, worker_us: float, engine_us: float, now_s: float) -> None:
    worker = site.chance.choice(site.workers)
    done_s = worker.serve(now_s, site.takes(worker_us))
    site.at(done_s, partial(_transits, site, engine_us, now_s))


def _transits(site: _Site, engine_us: float, began_s: float, now_s: float) -> None:
    costs, plan = site.costs, site.plan
    inboxes = max(1, site.demand.inboxes)
    seats = max(site.demand.listeners, site.demand.online * site.demand.memberships / inboxes)
    share = followed(seats, plan.workers)
    following = [w for w in site.workers if plan.workers == 1 or site.chance.random() < share]
    publish_us = len(following) * costs.engine_publish_us
    done_s = site.engine.serve(now_s, site.takes(engine_us + publish_us))
    each = site.demand.listeners / max(1, len(following))
    # Badges are told to all, but not for each event.
    badges = plan.badges_per_s / max(1e-9, plan.events_per_s) / max(1, len(following))
    work = _Work(
        began_s,
        costs.worker_heard_us + each * costs.worker_delivery_us,
        badges * costs.worker_badge_us,
    )
    for worker in following:
        site.at(done_s, partial(_heard, site, worker, work))


def _heard(site: _Site, worker: _Server, work: _Work, now_s: float) -> None:
    done_s = worker.serve(now_s, site.takes(work.cost_us))
    worker.serve(done_s, site.takes(work.after_us))
    latency_s = done_s - work.began_s + site.costs.idle_latency_us / 1e6
    stormy = now_s >= site.storm_at_s and site.back < site.demand.online
    (site.storm_took_s if stormy else site.took_s).append(latency_s)


def _storm(site: _Site, at_s: float) -> None:
    for _ in range(site.demand.online):
        site.at(at_s + site.chance.uniform(0, BACK_S), partial(_back, site))


def _back(site: _Site, now_s: float) -> None:
    """A client at a worker's door: in, or turned away to come again."""
    number = site.chance.randrange(len(site.workers))
    every_s = 1 / site.costs.handshakes_per_s
    # A bucket of one second's handshakes, as the setting has it.
    if site.admitted_s[number] > now_s + 1.0:
        site.refused += 1
        site.at(now_s + _RETRY_S * site.chance.uniform(0.5, 1.5), partial(_back, site))
        return
    site.admitted_s[number] = max(now_s, site.admitted_s[number]) + every_s
    done_s = site.workers[number].serve(now_s, site.takes(site.costs.worker_handshake_us))
    done_s = site.engine.serve(done_s, site.takes(site.costs.engine_return_us))
    site.back += 1
    site.back_at_s = max(site.back_at_s, done_s)


def _cuts(took_s: list[float]) -> list[float]:
    """Percentiles in milliseconds."""
    if len(took_s) < 2:
        return [0.0] * 99
    return [1000 * cut for cut in quantiles(took_s, n=100)]
