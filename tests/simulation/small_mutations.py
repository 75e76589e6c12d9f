"""Each mechanism that the small model has, taken out: looking at all of it has to notice."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from batonbox_server.hub.feed import Effect, Feed
from tests.simulation import small, small_clients
from tests.simulation.mutations import Patch, append_anything, append_over_a_gap
from tests.simulation.small_clients import ClientStep

SMALL: dict[str, Patch] = {
    "tip: what follows is appended, whatever its past": append_anything,
    "gap check: the feed appends over a gap": append_over_a_gap,
}


def of_small(name: str) -> Callable[[Patch], Patch]:
    """Registers one of the small model."""

    def register(patch: Patch) -> Patch:
        SMALL[name] = patch
        return patch

    return register


@of_small("tip: the regular check compares seqs only")
def _check_seqs_only(patch: pytest.MonkeyPatch) -> None:
    def checked(self: Feed, head: Any, *, at: int, tip: str) -> list[Effect]:
        if not self.following:
            return []
        if head.seq < at:
            return self._break("fork")
        self._heard = max(self._heard, head.seq)
        return self._ask()

    patch.setattr(Feed, "checked", checked)


@of_small("gap check: what is missing is not read")
def _never_ask(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Feed, "_ask", lambda _: [])


@of_small("gap check: nobody compares with the log")
def _never_check(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Feed, "checked", lambda *_, **__: [])


@of_small("tip: a position is resumed by its seq")
def _resume_by_seq(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(small_clients, "_same", lambda *_: True)


@of_small("tip: a node answers for positions that it has not reached")
def _answer_early(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(small_clients, "_answers", lambda _: True)


@of_small("tip: a fork is mended without telling anybody")
def _silent_rebase(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(small_clients, "rebased", lambda client, _: ClientStep(client))


@of_small("tip: what was read before a fork was mended still counts")
def _remember_reads(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(small_clients, "_forgotten", lambda client: client)


@of_small("tip: old events are read beyond the ring's beginning")
def _read_on(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(small_clients, "_missed", lambda chunk: chunk.got[chunk.seq :])


@of_small("tip: a second failover, while the first is mended, is not looked for")
def _mend_blindly(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(small, "_beyond", lambda *_: True)
