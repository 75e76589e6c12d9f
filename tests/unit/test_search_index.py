"""The index against a plain model of it, and what becomes of its file."""

from __future__ import annotations

import asyncio
import os
import random
import sqlite3
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from batonbox_server.errors import Refused
from batonbox_server.search.excerpt import matches
from batonbox_server.search.index import SqliteIndex
from batonbox_server.search.query import parse
from batonbox_server.service.search_port import (
    Card,
    Change,
    Gone,
    Message,
    Place,
    Purged,
    SearchIndex,
    Talk,
)

AT = Place("epoch", 1, "tip")
_WORDS = ("Apfel", "apfelmus", "Birne", "東京", "straße", "the", "Ärger", "+1 416 555 0142", "555")
ASKED = (
    "apf",
    "apfel",
    "birn",
    "京",
    "strasse",
    '"the apfel"',
    "the arg",
    "4165550142",
    "555",
    "0142",
)


@pytest.fixture
async def index(tmp_path: Path) -> AsyncIterator[SqliteIndex]:
    """An empty one."""
    index = SqliteIndex(tmp_path / "search.sqlite")
    await index.open()
    yield index
    await index.aclose()


@dataclass
class Plain:
    """What the index should know of one log."""

    texts: dict[tuple[str, int], tuple[int, str]] = field(default_factory=dict)

    def do(self, change: Change) -> None:
        """As the port says."""
        match change:
            case Message():
                key, text = (change.conv, change.n), change.text
                old = self.texts.pop(key, None)
                if change.old and old:
                    self.texts[key] = old
                elif text:
                    self.texts[key] = (old[0] if change.edit and old else change.at_ms, text)
            case Purged():
                self.drop(lambda conv, n: conv == change.conv and n <= change.upto)
            case Gone():
                self.drop(lambda conv, _: conv == change.id)

    def drop(self, gone: object) -> None:
        """Forget the keys for which it holds."""
        assert callable(gone)
        self.texts = {key: value for key, value in self.texts.items() if not gone(*key)}

    def found(self, q: str) -> list[tuple[int, str, int]]:
        """The newest first."""
        clauses = parse(q)
        return sorted(
            ((at_ms, conv, n) for (conv, n), (at_ms, text) in self.texts.items()
             if matches(text, clauses)),
            reverse=True,
        )  # fmt: skip


def change(chance: random.Random, log: str, at_ms: int) -> Change:
    conv, n = f"{log}.{chance.randrange(3)}", chance.randint(1, 6)
    text = " ".join(chance.choices(_WORDS, k=chance.randint(1, 4)))
    kind = chance.random()
    if kind < 0.6:
        edit = chance.random() < 0.3
        return Message(conv, n, at_ms, text, old=not edit and chance.random() < 0.2, edit=edit)
    if kind < 0.75:
        return Message(conv, n, at_ms, "", edit=True)
    return Purged(conv, n) if kind < 0.9 else Gone(conv)


async def messages(index: SearchIndex, q: str, logs: list[str]) -> list[tuple[int, str, int]]:
    hits, after = [], ""
    while True:
        found, after = await index.find(
            q, logs=logs, kinds=frozenset({"message"}), after=after, n=3
        )
        hits += [(hit.at_ms, hit.conv, hit.n) for hit in found]
        if not after:
            return hits


@pytest.mark.parametrize("seed", range(4))
async def test_it_finds_what_a_plain_search_finds(index: SqliteIndex, seed: int) -> None:
    chance = random.Random(seed)
    logs = {"a": Plain(), "b": Plain(), "~cd": Plain()}
    for log in logs:
        await index.restart(log, place=AT)
    at_ms = 1_700_000_000_000
    for _ in range(60):
        log = chance.choice(list(logs))
        if chance.random() < 0.05:
            await index.restart(log, place=AT)
            logs[log] = Plain()
        changes = []
        for _ in range(chance.randint(1, 6)):
            at_ms += chance.randrange(1, 5)
            changes.append(change(chance, log, at_ms))
            logs[log].do(changes[-1])
        await index.apply(log, changes, place=AT)
        asked, seen = chance.choice(ASKED), chance.sample(list(logs), chance.randint(0, 3))
        wanted = sorted((hit for log in seen for hit in logs[log].found(asked)), reverse=True)
        assert await messages(index, asked, seen) == wanted, (asked, seen)


async def test_what_is_forgotten_leaves_nothing_behind(index: SqliteIndex, tmp_path: Path) -> None:
    changes: list[Change] = [Talk("a.1", "+14165550142", 5)]
    changes += [Message("a.1", n, n, f"word{n} straße +1 416 555 {n:04}") for n in range(1, 50)]
    await index.restart("a", place=AT)
    await index.apply("a", changes, place=AT)
    await index.restart("@contacts", place=AT)
    card = Card("c1", "Zoë", ("+14165550142",), "a note 4165550177")
    await index.apply("@contacts", [card, Card("c1", "Zoe", (), "")], place=AT)
    await index.apply("@contacts", [Gone("c1")], place=AT)
    await index.drop("a")
    assert {entry.stat().st_mode & 0o777 for entry in os.scandir(tmp_path)} == {0o600}
    with sqlite3.connect(tmp_path / "search.sqlite") as connection:
        for table in ("said", "named"):
            connection.execute(f"INSERT INTO {table} ({table}) VALUES ('integrity-check')")
            connection.execute(
                f"CREATE VIRTUAL TABLE temp.v{table} USING fts5vocab(main, {table}, row)"
            )
            assert connection.execute(f"SELECT * FROM v{table}").fetchall() == []
        for table in ("message", "talk", "card"):
            assert connection.execute(f"SELECT count(*) FROM {table}").fetchone() == (0,)
    connection.close()


async def test_everybody_s_token_finds_no_room(index: SqliteIndex) -> None:
    """One token stands for all inboxes of who sees them all; rooms stand for themselves."""
    for log in ("a", "b", "~cd", "~ce", "@contacts"):
        await index.restart(log, place=AT)
        await index.apply(log, [Message(f"{log}.1", 1, 1, "gnu")], place=AT)
    found = await messages(index, "gnu", ["a", "b", "~ce"])
    assert sorted(conv for _, conv, _ in found) == ["a.1", "b.1", "~ce.1"]
    assert [conv for _, conv, _ in await messages(index, "gnu", ["a"])] == ["a.1"]
    assert await messages(index, "gnu", []) == []


async def test_conversations_come_by_number_or_name_the_newest_first(index: SqliteIndex) -> None:
    await index.restart("a", place=AT)
    talks = [Talk(f"a.{n}", f"+1416555{n:04}", 1000 + n) for n in range(30)]
    await index.apply("a", [*talks, Talk("a.3", "+14165550003", 9000)], place=AT)
    await index.restart("@contacts", place=AT)
    await index.apply("@contacts", [Card("c", "Ada", ("+14165550007",), "")], place=AT)
    seen, after = [], ""
    while True:
        hits, after = await index.find(
            "416555", logs=["a"], kinds=frozenset({"conversation"}), after=after, n=7
        )
        seen += [hit.conv for hit in hits]
        if not after:
            break
    assert seen == ["a.3", *(f"a.{n}" for n in reversed(range(30)) if n != 3)]
    hits, _ = await index.find(
        "ada", logs=["a"], kinds=frozenset({"conversation", "contact"}), after="", n=5
    )
    assert [(hit.kind, hit.conv or hit.id) for hit in hits] == [
        ("conversation", "a.7"),
        ("contact", "c"),
    ]


async def test_what_it_knows_survives_and_a_log_takes_a_beginning(tmp_path: Path) -> None:
    file = tmp_path / "search.sqlite"
    first = SqliteIndex(file)
    await first.open()
    with pytest.raises(Refused):
        await first.apply("a", [Message("a.1", 1, 1, "gnu")], place=AT)
    await first.restart("a", place=AT)
    await first.apply("a", [Message("a.1", 1, 1, "gnu")], place=AT)
    await first.aclose()
    second = SqliteIndex(file)
    await second.open()
    assert await second.places() == {"a": AT}
    assert await messages(second, "gnu", ["a"]) == [(1, "a.1", 1)]
    await second.aclose()


@pytest.mark.parametrize("how", ["garbage", "version", "torn"])
async def test_a_file_that_is_not_ours_is_made_anew(tmp_path: Path, how: str) -> None:
    file = tmp_path / "search.sqlite"
    first = SqliteIndex(file)
    await first.open()
    await first.restart("a", place=AT)
    await first.apply("a", [Message("a.1", n, n, "gnu " * 50) for n in range(1, 200)], place=AT)
    await first.aclose()
    if how == "garbage":
        file.write_bytes(b"no database at all" * 1000)
    elif how == "version":
        with sqlite3.connect(file) as connection:
            connection.execute("PRAGMA user_version=99")
        connection.close()
    else:
        whole = file.read_bytes()
        file.write_bytes(whole[:4096] + b"\xff" * (len(whole) - 4096))
    second = SqliteIndex(file)
    try:
        await second.open()
    except Refused:
        await second.open()
    assert await second.places() == {}
    await second.restart("a", place=AT)
    await second.apply("a", [Message("a.1", 1, 1, "gnu")], place=AT)
    assert await messages(second, "gnu", ["a"]) == [(1, "a.1", 1)]
    await second.aclose()


async def test_damage_that_shows_later_replaces_the_file_under_it(tmp_path: Path) -> None:
    file = tmp_path / "search.sqlite"
    index = SqliteIndex(file)
    await index.open()
    await index.restart("a", place=AT)
    await index.apply("a", [Message("a.1", n, n, "gnu " * 50) for n in range(1, 200)], place=AT)
    await index.aclose()
    whole = file.read_bytes()
    half = len(whole) // 2 // 4096 * 4096
    file.write_bytes(whole[:half] + b"\xff" * (len(whole) - half))
    told: list[str] = []
    index = SqliteIndex(file, on_anew=lambda: told.append("anew"))
    await index.open()
    for _ in range(20):
        try:  # what meets the damage is refused, and may be repeated
            await index.restart("a", place=AT)
            await index.apply("a", [Message("a.1", 1, 1, "gnu")], place=AT)
            if await messages(index, "gnu", ["a"]) == [(1, "a.1", 1)]:
                break
        except Refused:
            continue
    assert await messages(index, "gnu", ["a"]) == [(1, "a.1", 1)]
    assert told == ["anew"]
    await index.aclose()


async def test_two_servers_of_one_folder_have_a_file_each(tmp_path: Path) -> None:
    file = tmp_path / "search.sqlite"
    one, other = SqliteIndex(file), SqliteIndex(file)
    await one.open()
    await other.open()
    await one.restart("a", place=AT)
    assert await other.places() == {}
    await other.aclose()
    await one.aclose()


async def test_too_many_searches_at_once_are_refused(index: SqliteIndex) -> None:
    await index.restart("a", place=AT)
    await index.apply("a", [Message("a.1", 1, 1, "gnu")], place=AT)
    kinds = frozenset({"message"})
    asked = [index.find("gnu", logs=["a"], kinds=kinds, after="", n=1) for _ in range(100)]
    answers = await asyncio.gather(*asked, return_exceptions=True)
    refused = [answer for answer in answers if isinstance(answer, Refused)]
    assert len(answers) - len(refused) == 64
    assert {refusal.slug for refusal in refused} == {"unavailable"}
    assert len(await messages(index, "gnu", ["a"])) == 1


async def test_what_is_erased_is_not_in_the_file_any_more(tmp_path: Path) -> None:
    file = tmp_path / "search.sqlite"
    index = SqliteIndex(file)
    await index.open()
    await index.restart("box", place=AT)
    texts = [Message("c", n, n, f"the secret of {n}.") for n in range(1, 200)]
    await index.apply("box", [Talk("c", "", 1), *texts], place=AT)
    await index.apply("box", [Purged("c", 100), Message("c", 150, 150, "")], place=AT)
    await index.aclose()
    there = [n for n in range(1, 200) if f"the secret of {n}.".encode() in file.read_bytes()]
    assert there == [n for n in range(101, 200) if n != 150]


async def test_a_new_file_goes_on_from_one_that_another_process_has(tmp_path: Path) -> None:
    first, second = (SqliteIndex(tmp_path / "search.sqlite") for _ in range(2))
    await first.open()
    await first.restart("a", place=AT)
    await first.apply("a", [Talk("a.1", "", 1), Message("a.1", 1, 1, "gnu")], place=AT)
    await second.open()
    assert (tmp_path / "search-2.sqlite").stat().st_mode & 0o777 == 0o600
    assert await second.places() == await first.places()
    assert len(await messages(second, "gnu", ["a"])) == 1
    await second.apply("a", [Message("a.1", 2, 2, "gnu")], place=AT)
    assert len(await messages(first, "gnu", ["a"])) == 1
    await second.clear()  # to read everything again is what was asked for
    assert await second.places() == {}
    await second.aclose()
    # One that cannot be copied is none.
    await first.aclose()
    (tmp_path / "search-2.sqlite").write_bytes(b"no database" * 1000)
    (tmp_path / "search.sqlite").unlink()
    third = SqliteIndex(tmp_path / "search.sqlite")
    await third.open()
    assert await third.places() == {}
    await third.aclose()


async def test_a_file_that_another_server_left_is_removed_after_a_week(tmp_path: Path) -> None:
    weeks_ago = time.time() - 8 * 86_400
    running = [SqliteIndex(tmp_path / "search.sqlite") for _ in range(4)]
    for index in running:
        await index.open()
    for index in (running[0], running[2], running[3]):  # the second goes on
        await index.aclose()
    names = ["search.sqlite", "search-2.sqlite", "search-3.sqlite", "search-4.sqlite"]
    assert [name for name in names if (tmp_path / name).exists()] == names
    for name in names[:3]:
        os.utime(tmp_path / name, (weeks_ago, weeks_ago))
    index = SqliteIndex(tmp_path / "search.sqlite")
    await index.open()
    left = [name for name in names if (tmp_path / name).exists()]
    assert left == ["search.sqlite", "search-2.sqlite", "search-4.sqlite"]
    for one in (index, running[1]):
        await one.aclose()
