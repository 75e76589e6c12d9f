"""A linearizability check that trusts no position and no log: calls, answers and the clock alone.

For each conversation it looks for one order of the operations that agrees with real time (what had
ended before another began comes first) and with the sequential machine of `spec.py`.

It sweeps over begins and ends and keeps every state the conversation may be in, each with the
pending operations that have happened in it ("just in time" linearization, after Wing & Gong and
Lowe); at an end, only those remain in which the operation has happened.  Operations whose outcome
nobody knows never end: they happen at any time after their begin, or not at all.  Where nothing is
pending, ownership has come to a point at which only the state counts: what was before is forgotten.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from batonbox_server.torture.checking.operations import History, Timed
from batonbox_server.torture.checking.spec import Op, State, steps

IDLE = frozenset({"reply", "look"})  # never change a state, but for what is known of its token


class Configuration(NamedTuple):
    """A state the conversation may be in.

    `happened`: pending operations that made it so. `quiet`: those that may have happened without
    changing anything; they may still happen later instead, so that nothing is decided about them.
    """

    state: State
    happened: frozenset[int] = frozenset()
    quiet: frozenset[int] = frozenset()

    def holds(self, number: int) -> bool:
        """Whether the operation can have happened by now."""
        return number in self.happened or number in self.quiet

    def without(self, number: int) -> Configuration:
        """Once the operation has ended."""
        one = frozenset((number,))
        return Configuration(self.state, self.happened - one, self.quiet - one)


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
        self.pending: dict[int, Op] = {}
        self.now: set[Configuration] = {Configuration(history.start)}

    def begins(self, number: int, op: Op) -> None:
        """From here on it may happen."""
        self.pending[number] = op

    def ends(self, number: int) -> bool:
        """It has happened by now; False: in no possible state it has."""
        idle = self.pending[number].kind == "refused" or self.pending[number].verb in IDLE
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
        self.now = found
        return bool(found)

    def _rested(self, configuration: Configuration) -> Configuration:
        """With everything that may happen here without changing anything."""
        state, happened, quiet = configuration
        more = [
            number
            for number, op in self.pending.items()
            if number not in happened
            and number not in quiet
            and op.kind != "unknown"
            and state in steps(state, op, self.users)
        ]
        return Configuration(state, happened, quiet.union(more)) if more else configuration

    def _next(self, configuration: Configuration) -> Iterator[Configuration]:
        """Every state that one more pending operation makes."""
        state, happened, quiet = configuration
        for number, op in self.pending.items():
            if number not in happened:
                one = frozenset((number,))
                for after in steps(state, op, self.users):
                    if after != state:
                        yield Configuration(after, happened | one, quiet - one)


def search(history: History, *, budget: int) -> Searched:
    """Whether some order explains the history; looks at most at `budget` configurations."""
    ops = [*history.ops, *([history.last] if history.last else [])]
    moments = [(timed.began_ns, False, i) for i, timed in enumerate(ops)]
    moments += [
        (timed.ended_ns, True, i)
        for i, timed in enumerate(ops)
        if timed.ended_ns is not None and timed.op.kind != "unknown"
    ]
    sweep = _Sweep(history, budget)
    try:
        for _, is_end, i in sorted(moments):
            if not is_end:
                sweep.begins(i, ops[i].op)
            elif not sweep.ends(i):
                return Searched(False, sweep.visited, ops[i])
    except _OverBudgetError:
        return Searched(None, sweep.visited)
    return Searched(True, sweep.visited)
