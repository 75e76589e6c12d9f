"""What was promised, and whether the figures keep it: ratios inside one run wherever possible."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

__all__ = ["GOALS", "PEER_GOALS", "Goal", "PeerGoal", "Verdict", "judged", "judged_peers"]

Figure = Callable[[str], float | None]


@dataclass(frozen=True, slots=True)
class Goal:
    """`name` divided by `by` (or alone) has to be at least or at most `bound`."""

    title: str
    name: str
    bound: float
    by: str = ""
    least: bool = True
    unit: str = "x"


@dataclass(frozen=True, slots=True)
class PeerGoal:
    """A figure has to be `bound` times that of a peer, at least or at most.

    `path` leads to the figure in what the benchmark writes of a server.
    """

    title: str
    peer: str
    path: tuple[str | int, ...]
    channels: int = 1
    window: int = 64
    bound: float = 1.0
    least: bool = True


@dataclass(frozen=True, slots=True)
class Verdict:
    """One line of the table."""

    title: str
    wanted: str
    found: str
    kept: bool


GOALS: Final = (
    Goal("saturated fan-out to 1,000: CPU of the naive loop over ours", "fanout.naive.1000.cpu", 8,
         by="fanout.batonbox.1000.cpu"),
    Goal("one event at a time to 1,000: our CPU per delivery over the floor's",
         "fanout.batonbox.single.cpu", 1.3, by="fanout.floor.single.cpu", least=False),
    Goal("memory of an idle connection, signed in", "idle.batonbox.10000.memory", 10_500,
         least=False, unit="bytes"),
    Goal("handshakes per second and core, signed in", "handshakes.batonbox.signed-in.core", 4000,
         unit="/s"),
    Goal("commands per server core, 50 clients: ours over the naive loop",
         "commands.batonbox.50.core", 3, by="commands.naive.50.core"),
    Goal("commands per server core, 500 clients: ours over the naive loop",
         "commands.batonbox.500.core", 3, by="commands.naive.500.core"),
)  # fmt: skip

_PACED: Final = ("latency", "paced", 0, "p99_ms")
_EACH: Final = ("memory", "idle", "bytes_per_connection")


def _saturated(subscribers: int, what: str = "rate") -> tuple[str | int, ...]:
    return ("throughput", str(subscribers), "window", what)


PEER_GOALS: Final = (
    *(
        PeerGoal(f"saturated fan-out to {count:,}, beside {title}", peer, _saturated(count),
                 bound=bound)
        for title, peer, bound in (("NATS websockets", "nats", 1),
                                   ("nchan with Redis", "nchan-redis", 3),
                                   ("a Starlette loop", "starlette+redis", 8))
        for count in (1000, 5000)
    ),
    PeerGoal("100 inboxes x 10 listeners, beside nchan with Redis", "nchan-redis",
             _saturated(1000), channels=100),
    PeerGoal("100 inboxes x 10 listeners, beside node ws with Redis", "ws+redis",
             _saturated(1000), channels=100),
    PeerGoal("four events in the air to 1,000: CPU per delivery beside nchan with Redis",
             "nchan-redis", _saturated(1000, "cpu_per_million"), window=1, least=False),
    PeerGoal("four events in the air to 1,000: CPU per delivery beside the floor",
             "floor", _saturated(1000, "cpu_per_million"), window=1, bound=1.3, least=False),
    PeerGoal("50 events/s to 500, command to receipt: p99 beside nchan with Redis",
             "nchan-redis", _PACED, bound=2, least=False),
    PeerGoal("memory of an idle connection beside nchan's", "nchan", _EACH, least=False),
)  # fmt: skip


def judged(figure: Figure) -> list[Verdict]:
    """The goals that `figure` (by name, None: not measured) says something about."""
    verdicts = []
    for goal in GOALS:
        value = figure(goal.name)
        below = figure(goal.by) if goal.by else 1.0
        if value is None or not below:
            continue
        verdicts.append(_verdict(goal.title, value / below, goal.bound, goal.least, goal.unit))
    return verdicts


def judged_peers(peers: dict[str, Any], *, channels: int, window: int, ours: str) -> list[Verdict]:
    """The same of a run beside peers with so many channels, and events in the air."""
    verdicts = []
    for goal in PEER_GOALS:
        if (goal.channels, goal.window) != (channels, window):
            continue
        mine, theirs = (_at(peers.get(name, {}), goal.path) for name in (ours, goal.peer))
        if mine and theirs:
            verdicts.append(_verdict(goal.title, mine / theirs, goal.bound, goal.least, "x"))
    return verdicts


def _at(found: Any, path: tuple[str | int, ...]) -> float:
    for step in path:
        try:
            found = found[step]
        except (KeyError, IndexError):
            return 0.0
    return float(found)


def _verdict(title: str, value: float, bound: float, least: bool, unit: str) -> Verdict:
    kept = value >= bound if least else value <= bound
    spelled = [f"{each:,.2f}" if unit == "x" else f"{each:,.0f}" for each in (bound, value)]
    wanted, found = (f"{each}x" if unit == "x" else f"{each} {unit}" for each in spelled)
    return Verdict(title, f"{'≥' if least else '≤'} {wanted}", found, kept)
