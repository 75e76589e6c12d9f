"""Where checks write down what they compared, found, and could not tell."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from batonbox_server.torture.checking.verdict import Verdict, Violation

MOST = 20  # of one invariant; the rest is counted in one line


class Findings:
    """One round's notes; `verdict()` ends it."""

    def __init__(self) -> None:
        self.noted = Verdict()
        self._more: dict[str, int] = defaultdict(int)
        self._of: dict[str, int] = defaultdict(int)

    def compared(self, invariant: str, n: int = 1) -> None:
        """So many facts were compared."""
        self.noted.checked[invariant] = self.noted.checked.get(invariant, 0) + n

    def wrong(self, invariant: str, what: str, records: Iterable[int] = ()) -> None:
        """A violation; beyond the first twenty of an invariant they are only counted."""
        self._of[invariant] += 1
        if self._of[invariant] > MOST:
            self._more[invariant] += 1
            return
        self.noted.violations.append(Violation(invariant, what, sorted(set(records))))

    def expect(self, holds: bool, invariant: str, what: str, records: Iterable[int] = ()) -> bool:
        """Compare one fact; returns whether it holds."""
        self.compared(invariant)
        if not holds:
            self.wrong(invariant, what, records)
        return holds

    def unsure(self, invariant: str, what: str) -> None:
        """Something could not be judged."""
        self.noted.undecided.setdefault(invariant, []).append(what)

    def verdict(self) -> Verdict:
        """What was found, with what was only counted."""
        for invariant, n in self._more.items():
            self.noted.violations.append(Violation(invariant, f"and {n} more"))
        self._more.clear()
        return self.noted
