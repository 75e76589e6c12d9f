"""One clock for all connections: whoever is due is ticked, without a timer each."""

from __future__ import annotations

from typing import Final, Protocol

__all__ = ["Ticked", "Wheel"]

_SLOT_MS: Final = 250


class Ticked(Protocol):
    """Something that has to be looked at by a certain time; `slot` is the wheel's, 0 at first."""

    slot: int

    @property
    def due_ms(self) -> int: ...

    def tick(self, now_ms: int) -> None: ...


class Wheel:
    """Slots of a quarter of a second; a connection stands in one and moves only when it is due.

    What it heard meanwhile has moved its `due_ms` on: it is then put further back, unticked.
    """

    def __init__(self, now_ms: int) -> None:
        self._slots: dict[int, dict[Ticked, None]] = {}
        self._turned = now_ms // _SLOT_MS

    def add(self, member: Ticked, *, no_earlier_ms: int = 0) -> None:
        """Look at it when it is due; adding again moves it."""
        self.remove(member)
        slot = max(-(-max(member.due_ms, no_earlier_ms) // _SLOT_MS), self._turned + 1)
        self._slots.setdefault(slot, {})[member] = None
        member.slot = slot

    def remove(self, member: Ticked) -> None:
        """Idempotent."""
        slot, member.slot = member.slot, 0
        if slot in self._slots:
            self._slots[slot].pop(member, None)

    def turn(self, now_ms: int, *, at_most: int) -> bool:
        """Look at so many of those who are due by now; whether there are more."""
        self._turned = now_ms // _SLOT_MS
        for slot in sorted(slot for slot in self._slots if slot <= self._turned):
            members = self._slots[slot]
            while members:
                if not at_most:
                    return True
                at_most -= 1
                member, _ = members.popitem()
                member.slot = 0
                if member.due_ms <= now_ms:
                    member.tick(now_ms)
                self.add(member, no_earlier_ms=now_ms)
            del self._slots[slot]
        return False
