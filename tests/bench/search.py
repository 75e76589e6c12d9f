"""The search index on its own: how fast it grows, how large it is, how long a search takes."""

from __future__ import annotations

import itertools
import os
import random
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import quantiles

from batonbox_server.search.index import SqliteIndex
from batonbox_server.service.search_port import Change, Message, Place, Talk

from .figures import Figures

__all__ = ["search_figures"]

_INBOXES = 50
_CONVERSATIONS = 50_000
_SMALL = 200  # messages of the smallest inbox
_BATCH = 2000
_YEAR_MS = 366 * 86_400_000
_BEGUN_MS = 1_760_000_000_000
_SEARCHES = 200
_VOCABULARY = 40_000


class _Texts:
    """Words as they are distributed in a language: the nth is said 1/n as often as the first."""

    def __init__(self, chance: random.Random) -> None:
        starts = ["b", "br", "c", "d", "f", "g", "k", "l", "m", "n", "p", "r", "s", "st", "t", "v"]
        ends = [a + b for a in "aeiou" for b in ("", "n", "r", "s", "l")]
        made: dict[str, None] = {}
        while len(made) < _VOCABULARY:
            size = 1 + (len(made) > 100) + (len(made) > 4000)
            made["".join(chance.choice(starts) + chance.choice(ends) for _ in range(size))] = None
        self.words = list(made)
        self._weights = list(itertools.accumulate(1 / (n + 3) for n in range(_VOCABULARY)))
        self._chance = chance

    def text(self) -> str:
        """A message of 4 to 20 words; some have a number in them."""
        said = self._chance.choices(
            self.words, cum_weights=self._weights, k=self._chance.randint(4, 20)
        )
        if self._chance.random() < 0.01:
            said.append(f"416.555.{self._chance.randint(0, 9999):04}")
        return " ".join(said)


def _batches(
    texts: _Texts, chance: random.Random, total: int
) -> Iterator[tuple[str, list[Change]]]:
    """As a rebuilding reads: inbox after inbox, conversation after conversation."""
    shares = [(_SMALL, "i0")]
    each = (total - _SMALL) // (_INBOXES - 1)
    shares += [(each, f"i{n}") for n in range(1, _INBOXES)]
    per = max(1, total // _CONVERSATIONS)
    for messages, log in shares:
        changes: list[Change] = []
        for first in range(0, messages, per):
            conv = f"{log}.{first}"
            at_ms = _BEGUN_MS + chance.randrange(_YEAR_MS)
            changes.append(Talk(conv, f"+1416555{chance.randint(0, 9999999):07}"[:12], at_ms))
            for n in range(min(per, messages - first)):
                at_ms += chance.randrange(600_000)
                changes.append(Message(conv, n + 1, at_ms, texts.text()))
            if len(changes) >= _BATCH:
                yield log, changes
                changes = []
        yield log, changes


async def search_figures(figures: Figures, *, quick: bool) -> None:
    """`search.<who>.<words>.<what>`: of the wall and of CPU; and of the index itself."""
    total = 100_000 if quick else 1_000_000
    chance = random.Random(7)
    texts = _Texts(chance)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "search.sqlite"
        index = SqliteIndex(file)
        await index.open()
        try:
            await _index(figures, index, texts, chance, total)
            size = sum(entry.stat().st_size for entry in os.scandir(folder))
            figures.add("search.index.message.size", "bytes", [size / total])
            everything = [f"i{n}" for n in range(_INBOXES)]
            for who, logs in (("admin", everything), ("small-inbox", ["i0"]),
                              ("half", everything[::2])):  # fmt: skip
                await _ask(figures, index, texts, chance, who, logs)
        finally:
            await index.aclose()


async def _index(
    figures: Figures, index: SqliteIndex, texts: _Texts, chance: random.Random, total: int
) -> None:
    spent_s, done = 0.0, 0
    for n in range(_INBOXES):
        await index.restart(f"i{n}", place=Place("e", 1, "t"))
    for log, changes in _batches(texts, chance, total):
        begun_s = time.perf_counter()
        await index.apply(log, changes, place=Place("e", 1, "t"))
        spent_s += time.perf_counter() - begun_s
        done += len(changes)
    figures.add(f"search.index.{total}.rate", "/s", [done / spent_s])


def _queries(texts: _Texts, chance: random.Random) -> dict[str, list[str]]:
    common, rare = texts.words[:40], texts.words[10_000:]

    def some(make: object) -> list[str]:
        assert callable(make)
        return [str(make()) for _ in range(_SEARCHES)]

    return {
        "rare-word": some(lambda: chance.choice(rare)),
        "common-word": some(lambda: chance.choice(common)),
        "two-common-words": some(lambda: " ".join(chance.sample(common, 2))),
        "common-and-rare": some(lambda: f"{chance.choice(common)} {chance.choice(rare)}"),
        "begins-with-2": some(lambda: chance.choice(common)[:2]),
        "begins-with-3": some(lambda: chance.choice(texts.words[100:4000])[:3]),
        "begins-with-4": some(lambda: chance.choice(texts.words[100:4000])[:4]),
        "phrase": some(lambda: f'"{" ".join(chance.sample(common, 2))}"'),
        "number": some(lambda: f"(416) 555-{chance.randint(0, 9999):04}"),
        "number-begun": some(lambda: f"+1416555{chance.randint(0, 9)}"),
        "4-digits": some(lambda: f"{chance.randint(0, 9999):04}"),
        "nothing": some(lambda: "zzzz" + chance.choice(common)),
    }


async def _ask(
    figures: Figures,
    index: SqliteIndex,
    texts: _Texts,
    chance: random.Random,
    who: str,
    logs: list[str],
) -> None:
    kinds = frozenset({"message", "conversation", "contact"})
    for name, asked in _queries(texts, chance).items():
        took_ms, cpu_ms = [], []
        for q in asked:
            begun_s, begun_cpu_s = time.perf_counter(), time.process_time()
            await index.find(q, logs=logs, kinds=kinds, after="", n=20)
            took_ms.append(1000 * (time.perf_counter() - begun_s))
            cpu_ms.append(1000 * (time.process_time() - begun_cpu_s))
        cpu, cuts = quantiles(cpu_ms, n=20), quantiles(took_ms, n=20)
        found = (("p50", cuts[9]), ("p95", cuts[18]), ("max", max(took_ms)), ("cpu-p95", cpu[18]))
        for what, value in found:
            figures.add(f"search.{who}.{name}.{what}", "ms", [value])
