"""What to raise where a run met the server's limits, and how."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final

from batonbox.bench.lean import Lean

__all__ = ["of_ends", "of_refusals", "of_status"]

_OF_SLUG: Final = {
    "rate_limited": (
        "raise BATONBOX_COMMANDS_PER_S and BATONBOX_COMMANDS_BURST, or make the token with"
        ' {"limits": {"commands_per_s": ..., "commands_burst": ...}}; or it had too much to do'
    ),
    "unavailable": "the engine could not be reached; see GET /readyz",
}
_OF_STATUS: Final = {
    429: (
        "raise BATONBOX_CONNECTIONS_PER_USER, or make the token with"
        ' {"limits": {"connections_per_user": ...}}'
    ),
    503: (
        "they came back when it asked them to; it admits so many at once"
        " (BATONBOX_HANDSHAKES_PER_S), fewer when it is busy"
    ),
}


def of_refusals(refused: Mapping[str, int]) -> list[str]:
    """A sentence per kind of refused command."""
    return [
        f"{count} commands refused ({slug}): {_OF_SLUG.get(slug, 'see the server log')}"
        for slug, count in refused.items()
    ]


def of_status(away: Mapping[int, int]) -> list[str]:
    """A sentence per HTTP status that sent connections away."""
    return [
        f"{count} upgrades sent away (HTTP {status}): {_OF_STATUS.get(status, 'come back later')}"
        for status, count in away.items()
    ]


def of_ends(links: Sequence[Lean]) -> list[str]:
    """A sentence per reason for which connections ended during a run."""
    ended = Counter(link.ended for link in links if link.ended)
    return [f"{count} connections ended: {why}" for why, count in ended.most_common(3)]
