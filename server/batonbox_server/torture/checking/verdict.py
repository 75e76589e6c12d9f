"""What a check says."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Violation:
    """An invariant that does not hold: `I1`..`I15`, or `linearizable` for ownership.

    `records` are the numbers (in what was judged) of the records that show it.
    """

    invariant: str
    what: str
    records: list[int] = field(default_factory=list)


@dataclass(slots=True)
class Verdict:
    """What was judged, how often, and what was found.

    `checked`: per invariant, how many facts were compared; 0 is told as well, it proves nothing.
    `undecided`: per invariant, what could not be judged and why; it is neither right nor wrong.
    `lost`: cids and provider ids of acknowledged writes that the log does not hold any more;
    `unreported`, those of them that nobody was told of: a violation of I13 if they are commands, or
    no fault may lose any.
    `convergence_ns`: per client, how long after the last fault it was at the top.
    """

    violations: list[Violation] = field(default_factory=list)
    checked: dict[str, int] = field(default_factory=dict)
    undecided: dict[str, list[str]] = field(default_factory=dict)
    lost: list[str] = field(default_factory=list)
    unreported: list[str] = field(default_factory=list)
    convergence_ns: dict[str, int] = field(default_factory=dict)

    @property
    def clean(self) -> bool:
        """Nothing was found wrong; look at `checked` and `undecided` for what that means."""
        return not self.violations
