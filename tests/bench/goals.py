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
    """Deliveries per second at saturation have to be `bound` times those of a peer, or more."""

    title: str
    peer: str
    channels: int
    subscribers: int
    bound: float = 1.0


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
    Goal("commands per server core, 200 clients: ours over the naive loop",
         "commands.batonbox.200.core", 3, by="commands.naive.200.core"),
)  # fmt: skip

PEER_GOALS: Final = (
    PeerGoal("saturated fan-out to 1,000, beside NATS websockets", "nats", 1, 1000),
    PeerGoal("saturated fan-out to 5,000, beside NATS websockets", "nats", 1, 5000),
    PeerGoal("saturated fan-out to 1,000, beside nchan with Redis", "nchan-redis", 1, 1000, 3),
    PeerGoal("saturated fan-out to 1,000, beside a Starlette loop", "starlette+redis", 1, 1000, 8),
    PeerGoal("100 inboxes x 10 listeners, beside nchan with Redis", "nchan-redis", 100, 1000),
    PeerGoal("100 inboxes x 10 listeners, beside node ws with Redis", "ws+redis", 100, 1000),
)


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


def judged_peers(peers: dict[str, Any], *, channels: int, ours: str) -> list[Verdict]:
    """The same of a run beside peers on so many channels."""
    verdicts = []
    for goal in PEER_GOALS:
        mine, theirs = (_rate(peers.get(name, {}), goal.subscribers) for name in (ours, goal.peer))
        if goal.channels == channels and mine and theirs:
            verdicts.append(_verdict(goal.title, mine / theirs, goal.bound, True, "x"))
    return verdicts


def _rate(peer: dict[str, Any], subscribers: int) -> float:
    window = peer.get("throughput", {}).get(str(subscribers), {}).get("window", {})
    return float(window.get("rate", 0))


def _verdict(title: str, value: float, bound: float, least: bool, unit: str) -> Verdict:
    kept = value >= bound if least else value <= bound
    spelled = [f"{each:,.2f}" if unit == "x" else f"{each:,.0f}" for each in (bound, value)]
    wanted, found = (f"{each}x" if unit == "x" else f"{each} {unit}" for each in spelled)
    return Verdict(title, f"{'≥' if least else '≤'} {wanted}", found, kept)
