"""What a run does and when: a pure function of its seed, so that it can be run again."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

__all__ = ["Blow", "Plan", "Round", "plan_of"]

_SHORT_S, _LONG_S = 8.0, 18.0  # of load in a round
# Faults begin after the load has, and end before it does: what comes back is used at once.
_LEAD_S: Final = 1.0
_TAIL_S: Final = 1.5
_SHORTEST_S: Final = 1.0
_LEAST_S: Final = 4.0
# What a round takes beside its load: making its inboxes, coming to rest, being judged.
_AROUND_S: Final = 8.0
_MAKING: Final = frozenset({"race", "inbound"})
_TWICE_IN: Final = 3  # rounds of which one has a second fault


@dataclass(frozen=True, slots=True)
class Blow:
    """One nemesis strikes `at_s` seconds into the round, for `for_s`; `seed` decides the rest."""

    nemesis: str
    at_s: float
    for_s: float
    seed: int


@dataclass(frozen=True, slots=True)
class Round:
    """`seconds` of load with these workloads, by weight, and these faults."""

    number: int
    seconds: float
    workloads: dict[str, int]
    blows: tuple[Blow, ...]
    seed: int


@dataclass(frozen=True, slots=True)
class Plan:
    """A whole run."""

    seed: int
    rounds: tuple[Round, ...]

    def shown(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)

    def lines(self) -> list[str]:
        """For people."""
        return [
            f"round {one.number}: {one.seconds:.0f} s of {', '.join(one.workloads)};"
            f" {'; '.join(map(_told, one.blows)) or 'no fault'}"
            for one in self.rounds
        ]


def plan_of(*, seed: int, minutes: float, workloads: Sequence[str], nemeses: Sequence[str]) -> Plan:
    """The plan of `minutes`; every nemesis has its turn before one has its second.

    Its first round has one fault, and a short run has one round.
    """
    rng = random.Random(f"torture {seed}")  # noqa: S311 - it shall be repeatable
    turns = _turns(rng, nemeses)
    rounds: list[Round] = []
    left_s = 60 * minutes
    while not rounds or left_s >= _SHORT_S + _AROUND_S:
        number = len(rounds) + 1
        seconds = min(round(rng.uniform(_SHORT_S, _LONG_S), 1), max(_LEAST_S, left_s - _AROUND_S))
        left_s -= seconds + _AROUND_S
        many = 2 if number % _TWICE_IN == 0 else 1
        names = _distinct(turns, min(many, len(nemeses)))
        rounds.append(
            Round(
                number,
                seconds,
                _weights(rng, workloads),
                tuple(_blow(rng, name, seconds) for name in names),
                rng.getrandbits(32),
            )
        )
    return Plan(seed, tuple(rounds))


def _turns(rng: random.Random, names: Sequence[str]) -> Iterator[str]:
    """One shuffled pack after the other."""
    while names:
        yield from rng.sample(list(names), len(names))


def _distinct(turns: Iterator[str], count: int) -> list[str]:
    found: list[str] = []
    while len(found) < count:
        name = next(turns)
        if name not in found:
            found.append(name)
    return found


def _weights(rng: random.Random, workloads: Sequence[str]) -> dict[str, int]:
    """Some of them, at least three where there are so many."""
    most = len(workloads)
    some = rng.sample(list(workloads), rng.randint(min(3, most), most))
    weights = {name: rng.randint(1, 4) for name in workloads if name in some}
    if not _MAKING & weights.keys():  # somebody has to make what the others work on
        weights |= {name: 1 for name in workloads if name in _MAKING}
    return weights


def _blow(rng: random.Random, name: str, seconds: float) -> Blow:
    room_s = max(_SHORTEST_S, seconds - _LEAD_S - _TAIL_S)
    for_s = round(rng.uniform(_SHORTEST_S, room_s), 1)
    at_s = round(_LEAD_S + rng.uniform(0.0, max(0.0, room_s - for_s)), 1)
    return Blow(name, at_s, for_s, rng.getrandbits(32))


def _told(blow: Blow) -> str:
    return f"{blow.nemesis} at {blow.at_s} s for {blow.for_s} s"
