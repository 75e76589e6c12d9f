"""Merging lists that answer in short pages: nothing is shown early, twice or never."""

from __future__ import annotations

import random

import pytest

from batonbox_server.service.interactions import Interaction, _merged, _Source
from batonbox_server.service.reads import Place, place_after

_WHOLE: Place = (0, "", "")


def _window(rng: random.Random, items: list[Interaction], after: Place | None) -> _Source:
    """Some of a list behind a place, perhaps none, and down to where that is all."""
    left = [item for item in items if after is None or item.place < after]
    shown = left[: rng.randint(0, 3)]
    if len(shown) == len(left):
        return _Source(shown)
    # A page may end between two items: all down to there has been looked at.
    return _Source(shown, shown[-1].place if shown else (left[0].place[0] + 1, "", ""))


@pytest.mark.parametrize("seed", range(50))
def test_every_item_is_on_one_page_and_in_order(seed: int) -> None:
    rng = random.Random(seed)
    times = rng.sample(range(1, 200), 40)
    items = [Interaction((t, f"i{t % 3}", f"c{t}"), {"id": f"c{t}"}) for t in times]
    items.sort(key=lambda item: item.place, reverse=True)
    lists = [[item for item in items if item.place[1] == f"i{k}"] for k in range(3)]
    found: list[Interaction] = []
    after: Place | None = None
    for _ in range(1000):
        whole = _Source([item for item in lists[2] if after is None or item.place < after])
        sources = [*(_window(rng, some, after) for some in lists[:2]), whole]
        page, further = _merged(sources, rng.randint(1, 5))
        found += page
        if further is None:
            break
        after = place_after(further)
    assert found == items
