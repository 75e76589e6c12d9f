"""A linearizability check that trusts no position and no log: calls, answers and the clock alone.

For each conversation it looks for one order of the operations that agrees with real time (what had
ended before another began comes first) and with the sequential machine of `spec.py`.

It sweeps over begins and ends and keeps every state the conversation may be in, each with the
pending operations that have happened in it ("just in time" linearization, after Wing & Gong and
Lowe); at an end, only those remain in which the operation has happened.  Operations whose outcome
nobody knows never end: they happen at any time after their begin, or not at all.  Where nothing is
pending, ownership has come to a point at which only the state counts: what was before is forgotten.

Where an engine may have lost the end of what it told (`losses.py`), a state is kept beside that to
which it may fall back: what was written and lost leaves it behind, and nothing that is left of the
history is written until it has fallen back.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from batonbox_server.torture.checking.operations import Fate, History, Timed
from batonbox_server.torture.checking.spec import State, steps

IDLE = frozenset({"reply", "look"})  # never change a state, but for what is known of its token


class Configuration(NamedTuple):
    """A state the conversation may be in; `back` is the one that it falls back to, once something
    has happened that is lost.

    `happened`: pending operations that made it so. `quiet`: those that may have happened without
    changing anything; they may still happen later instead, so that nothing is decided about them.
    """

    state: State
    happened: frozenset[int] = frozenset()
    quiet: frozenset[int] = frozenset()
    back: State | None = None

    def holds(self, number: int) -> bool:
        """Whether the operation can have happened by now."""
        return number in self.happened or number in self.quiet

    def without(self, number: int) -> Configuration:
        """Once the operation has ended."""
        one = frozenset((number,))
        return self._replace(happened=self.happened - one, quiet=self.quiet - one)


@dataclass(frozen=True, slots=True)
class Searched:
    """`holds` None: the budget ran out. `stuck` is the operation that no order explains."""

    holds: bool | None
    visited: int
    stuck: Timed | None = None


class _OverBudgetError(Exception):
    """More configurations than allowed."""


class _Sweep:
    def __init__(self, history: History, budget: int) -> None:
        self.users, self.budget = history.users, budget
        self.visited = 0
        self.pending: dict[int, Timed] = {}
        self.now: set[Configuration] = {Configuration(history.start)}

    def begins(self, number: int, timed: Timed) -> None:
        """From here on it may happen."""
        self.pending[number] = timed

    def ends(self, number: int) -> bool:
        """It has happened by now, but for one of unknown outcome, which will not any more.

        False: in no possible state it has.
        """
        op = self.pending[number].op
        never = {one.without(number) for one in self.now} if op.kind == "unknown" else set()
        idle = op.kind == "refused" or op.verb in IDLE
        found: set[Configuration] = set()
        met: set[Configuration] = set()
        todo = list(self.now)
        while todo:
            configuration = self._rested(todo.pop())
            if configuration in met:
                continue
            met.add(configuration)
            self.visited += 1
            if self.visited > self.budget:
                raise _OverBudgetError
            if configuration.holds(number):
                found.add(configuration.without(number))
                if idle or number in configuration.happened:
                    continue  # whatever else may happen can as well do so after it
            todo.extend(self._next(configuration))
        del self.pending[number]
        self.now = found | never
        return bool(self.now)

    def _rested(self, configuration: Configuration) -> Configuration:
        """With everything that may happen here without changing anything."""
        state, happened, quiet, back = configuration
        more = [
            number
            for number, timed in self.pending.items()
            if number not in happened
            and number not in quiet
            and timed.op.kind != "unknown"
            and (back is None or timed.fate != "kept")
            and state in steps(state, timed.op, self.users)
        ]
        return configuration._replace(quiet=quiet.union(more)) if more else configuration

    def _next(self, configuration: Configuration) -> Iterator[Configuration]:
        """Every state that one more pending operation makes."""
        state, happened, quiet, back = configuration
        if back is not None:
            yield Configuration(back, happened, quiet)
        for number, timed in self.pending.items():
            if number not in happened:
                one = frozenset((number,))
                for after in steps(state, timed.op, self.users):
                    if after != state:
                        for then in _backs(timed.fate, state, back):
                            yield Configuration(after, happened | one, quiet - one, then)


def _backs(fate: Fate, state: State, back: State | None) -> Iterator[State | None]:
    """What the conversation may fall back to once the operation has changed it."""
    if fate == "none":
        yield back
    if fate in ("kept", "either") and back is None:
        yield None
    if fate in ("lost", "either"):
        yield state if back is None else back


def search(history: History, *, budget: int) -> Searched:
    """Whether some order explains the history; looks at most at `budget` configurations."""
    ops = [*history.ops, *([history.last] if history.last else [])]
    moments = [(timed.began_ns, False, i) for i, timed in enumerate(ops)]
    moments += [
        (timed.ended_ns, True, i) for i, timed in enumerate(ops) if timed.ended_ns is not None
    ]
    sweep = _Sweep(history, budget)
    try:
        for _, is_end, i in sorted(moments):
            if not is_end:
                sweep.begins(i, ops[i])
            elif not sweep.ends(i):
                return Searched(False, sweep.visited, ops[i])
    except _OverBudgetError:
        return Searched(None, sweep.visited)
    return Searched(True, sweep.visited)
