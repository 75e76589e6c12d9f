"""Backups are taken while a server serves, and restored by proof."""

from __future__ import annotations

import asyncio
import hashlib
import json
import stat
import tarfile
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx2
import msgspec
import pytest

from batonbox import Backoff, Client, Resync
from batonbox_server import demo, node_backup
from batonbox_server.backup.bundle import Writing, extracted
from batonbox_server.backup.frozen import freeze, let_go
from batonbox_server.config import Settings
from batonbox_server.engine import EmbeddedEngine, locate
from batonbox_server.errors import Refused
from batonbox_server.node_backup import back_up, backup_begins, restore
from batonbox_server.node_organisation import Organisation
from batonbox_server.store.connect import EngineClient
from batonbox_server.store.scripts import Scripts
from tests.chaos.processes import Server, serving
from tests.integration.store_harness import Box
from tests.integration.test_cli import run
from tests.served import SALES
from tests.support import eventually

MEDIA = "abcdef0123456789abcd"
QUICK: dict[str, Any] = {"archive_keep_messages": 2, "archive_done_days": 0, "archive_sweep_s": 0.1}


class Writers:
    """Customers who write all the time, each from a number of their own."""

    def __init__(self, server: Server, token: str) -> None:
        self._server = server
        self._headers = {"authorization": f"Bearer {token}"}
        self.acknowledged: list[str] = []
        self._stop = asyncio.Event()

    async def run(self, number: int) -> None:
        """Until `stop`; what is refused or lost is not acknowledged."""
        async with httpx2.AsyncClient(base_url=self._server.url, timeout=20) as http:
            count = 0
            while not self._stop.is_set():
                text = f"w{number}-{count}"
                body = {"from": f"+1416555{1000 + number}", "to": SALES, "text": text}
                answer = await http.post("/v1/loopback/inbound", json=body, headers=self._headers)
                assert answer.is_success, answer.text
                self.acknowledged.append(text)
                count += 1

    def stop(self) -> None:
        """After the present message."""
        self._stop.set()


async def texts_of(server: Server, token: str) -> list[str]:
    """Customers' texts, as an export has them."""
    async with httpx2.AsyncClient(base_url=server.url, timeout=60) as http:
        answer = await http.get("/v1/export", headers={"authorization": f"Bearer {token}"})
    lines = [json.loads(line) for line in answer.text.splitlines()]
    assert lines[-1]["kind"] == "end"
    found = (line for line in lines if line["kind"] == "message" and line["event"] == "received")
    return [line["body"]["text"] for line in found]


async def waiting_conversation(server: Server, token: str) -> str:
    """One that nobody has."""
    async with httpx2.AsyncClient(base_url=server.url, timeout=20) as http:
        headers = {"authorization": f"Bearer {token}"}
        found = await http.get("/v1/conversations?view=unassigned", headers=headers)
        return str(found.json()["items"][0]["id"])


async def test_what_was_acknowledged_before_is_there_and_who_was_ahead_is_told(
    tmp_path: Path,
) -> None:
    old, new, file = tmp_path / "old", tmp_path / "new", tmp_path / "all.tar"
    told: list[str] = []

    def note(event: object) -> None:
        if isinstance(event, Resync):
            told.append(event.reason)

    async def listen(client: Client) -> None:
        async with client.events(inbox="sales") as events:
            async for event in events:
                note(event)

    async with AsyncExitStack() as stack:
        server = Server(old, **QUICK)
        await server.start()
        stack.push_async_callback(server.stop)
        admin = await server.token("admin")
        media = old / "media" / MEDIA[:2] / MEDIA[2:4] / MEDIA
        media.parent.mkdir(parents=True)
        media.write_bytes(b"a picture")
        client = Client(server.url, await server.token("agent1"), backoff=Backoff(0.05, 0.2))
        await stack.enter_async_context(client)
        group = await stack.enter_async_context(asyncio.TaskGroup())
        listening = group.create_task(listen(client))
        stack.callback(listening.cancel)
        before = await backed_up_under_load(server, admin, file)
        conv = await client.conversation(await waiting_conversation(server, admin))
        await conv.claim()
        await server.stop()
        status, out, err = await run("restore", str(file), "--data-dir", str(new))
        assert status == 0, out + err
        assert "everything is as it should be" in out
        async with serving(new, port=server.port, **QUICK) as again:
            await eventually(lambda: {"epoch", "writes_lost"} <= set(told), timeout_s=30)
            found = await texts_of(again, admin)
            assert set(before) <= set(found)
            assert len(found) == len(set(found)), "nothing is there twice"
            status, out, err = await run("verify", data_dir=new)
            assert status == 0, out + err
            kept = new / "media" / MEDIA[:2] / MEDIA[2:4] / MEDIA
            assert kept.read_bytes() == b"a picture"


async def backed_up_under_load(server: Server, token: str, file: Path) -> list[str]:
    """A backup while customers write: what had been acknowledged when it began."""
    writers = Writers(server, token)
    async with asyncio.TaskGroup() as group:
        for number in range(4):
            group.create_task(writers.run(number))
        await eventually(lambda: len(writers.acknowledged) > 60, timeout_s=60)
        before = list(writers.acknowledged)
        status, out, err = await run("backup", str(file), data_dir=server.folder)
        assert (status, out.strip()) == (0, str(file)), err
        after = len(writers.acknowledged)
        await eventually(lambda: len(writers.acknowledged) > after + 20, timeout_s=60)
        writers.stop()
    assert not list(server.folder.glob("backup.*")), "what was held is let go of"
    return before


@pytest.fixture(scope="module")
def module_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the tests below share a backup."""
    return tmp_path_factory.mktemp("backup")


@pytest.fixture
async def backup(module_folder: Path) -> Path:
    """One of a server that does not run, with a key."""
    file = module_folder / "small.tar"
    if not file.exists():
        settings = Settings(data_dir=str(module_folder / "data"))
        organisation = Organisation(settings)
        await organisation.open()
        await demo.seed(organisation)
        await organisation.close()
        (module_folder / "data" / "secrets.key").write_text("a key\n")
        await back_up(settings, file, with_key=True, say=print)
    return file


def left_in(folder: Path, pattern: str = "*") -> list[Path]:
    """What is there."""
    return list(folder.glob(pattern))


def content_of(file: Path) -> bytes:
    """All of it."""
    return file.read_bytes()


def mode_of(file: Path) -> int:
    """Who may do what with it."""
    return stat.S_IMODE(file.stat().st_mode)


def members(file: Path) -> list[str]:
    """What is in it."""
    with tarfile.open(file) as tar:
        return tar.getnames()


async def test_a_backup_says_what_is_in_it_and_leaves_the_key_out_if_told(
    backup: Path, module_folder: Path, tmp_path: Path
) -> None:
    assert mode_of(backup) == 0o600
    names = members(backup)
    assert names[-1] == "manifest.json"
    assert "secrets.key" in names
    with tarfile.open(backup) as tar:
        told = msgspec.json.decode(tar.extractfile("manifest.json").read())  # type: ignore[union-attr]
        for name, about in told["files"].items():
            content = tar.extractfile(name).read()  # type: ignore[union-attr]
            assert hashlib.sha256(content).hexdigest() == about["sha256"]
    settings = Settings(data_dir=str(module_folder / "data"))
    made = await back_up(settings, module_folder, with_key=False, say=print)
    assert "secrets.key" not in members(made)
    said: list[str] = []
    assert (await restore(Settings(), made, tmp_path / "new", say=said.append))["ok"]
    assert any("was left out" in line for line in said)
    with pytest.raises(Refused, match="is there already"):
        await back_up(settings, backup, with_key=True, say=print)


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda content: content[: len(content) // 2], "damaged"),
        (lambda content: content.replace(b"sales", b"salez", 1), "is damaged: appendonlydir/"),
        (lambda _: b"nothing of the kind" * 100, "damaged or no backup"),
    ],
    ids=["cut", "changed", "another"],
)
async def test_a_damaged_backup_is_not_restored(
    backup: Path, tmp_path: Path, spoil: Any, says: str
) -> None:
    file, folder = tmp_path / "spoilt.tar", tmp_path / "new"
    file.write_bytes(spoil(content_of(backup)))
    with pytest.raises(Refused, match=says):
        await restore(Settings(), file, folder, say=print)
    assert left_in(tmp_path) == [file], "nothing is left of it"


async def test_an_older_engine_is_not_given_what_it_cannot_read(
    backup: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = locate()
    older = replace(here, version=(here.version[0] - 1, 0, 0))
    monkeypatch.setattr(node_backup, "locate", lambda: older)
    with pytest.raises(Refused, match="install that one or a newer one"):
        await restore(Settings(), backup, tmp_path / "new", say=print)
    assert left_in(tmp_path) == []


def test_a_backup_without_its_end_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "cut.tar"
    source = tmp_path / "source"
    source.write_bytes(b"x" * 100)
    writing = Writing(file)
    writing.add("appendonlydir/a", source)
    writing._tar.close()
    writing._raw.close()
    (tmp_path / "cut.tar.part").rename(file)
    with pytest.raises(Refused, match="its end is missing"):
        extracted(file, tmp_path / "new")


@pytest.mark.parametrize("name", ["../outside", "/etc/x", "appendonlydir/../../x", "lock"])
def test_nothing_is_laid_elsewhere(tmp_path: Path, name: str) -> None:
    file, source = tmp_path / "evil.tar", tmp_path / "source"
    source.write_bytes(b"x")
    writing = Writing(file)
    writing.add(name, source)
    writing.finish({})
    with pytest.raises(Refused, match="no part of one"):
        extracted(file, tmp_path / "in" / "new")
    assert not (tmp_path / "in").exists()


async def test_a_backup_that_does_not_verify_gets_no_name(backup: Path, tmp_path: Path) -> None:
    """What is whole as a file may be of an engine that was wrong already."""
    first, second = tmp_path / "first", tmp_path / "second"
    assert (await restore(Settings(), backup, first, say=print))["ok"]
    engine = EmbeddedEngine(first)
    await engine.start()
    client = EngineClient(engine.url)
    await client.connect()
    await client.execute("SREM", "bb{ib:sales}:num", SALES)
    await client.aclose()
    await engine.stop()
    wrong = tmp_path / "wrong.tar"
    await back_up(Settings(data_dir=str(first)), wrong, with_key=True, say=print)
    said: list[str] = []
    report = await restore(Settings(), wrong, second, say=said.append)
    assert list(report["found"]) == ["number_route"]
    assert "did not verify" in said[0]
    assert not second.exists()
    assert len(left_in(tmp_path, "second.restoring-*")) == 1
    with pytest.raises(Refused, match="is not empty"):
        await restore(Settings(), backup, first, say=print)


async def test_an_engine_of_ones_own_has_its_own_backups(engine_url: str, tmp_path: Path) -> None:
    settings = Settings(redis_url=engine_url, data_dir=str(tmp_path / "data"), key_space="own")
    with pytest.raises(Refused, match="back it up with its own tools"):
        await back_up(settings, tmp_path / "x.tar", with_key=True, say=print)
    assert left_in(tmp_path, "x.tar*") == []


async def test_what_comes_after_its_moment_is_not_in_it(tmp_path: Path) -> None:
    """Neither in the engine's log, which goes on in the same file, nor in the archive."""
    settings = Settings(data_dir=str(tmp_path / "data"))
    organisation = Organisation(settings)
    await organisation.open()
    await demo.seed(organisation)
    told = await backup_begins(organisation)
    await organisation.client.execute("SET", "bb{later}:x", "later than the backup")
    writing = Writing(tmp_path / "all.tar")
    node_backup._write(writing, told, with_key=True, say=print)
    await organisation.close()
    assert (await restore(Settings(), tmp_path / "all.tar", tmp_path / "new", say=print))["ok"]
    restored = Organisation(Settings(data_dir=str(tmp_path / "new")))
    await restored.open()
    assert await restored.client.execute("GET", "bb{later}:x") is None
    assert restored.directory.inboxes.keys() == {"sales", "support"}
    await restored.close()


async def test_the_engines_files_are_those_of_one_moment(engine: EmbeddedEngine) -> None:
    """Through a rewrite of its log, which makes new ones; and the rewrites go on afterwards."""
    client = EngineClient(engine.url)
    await client.connect()
    for n in range(50):
        await client.execute("SET", f"k{n}", "x" * 100)
    await client.execute("BGREWRITEAOF")
    frozen = await freeze(client, engine.folder)
    folder = Path(frozen["folder"])
    held = {name: content_of(folder / name)[:size] for name, size in frozen["files"].items()}
    await client.execute("SET", "later", "x" * 1000)
    await client.execute("BGREWRITEAOF")
    await client.execute("SET", "latest", "x")
    told = await client.execute("CONFIG", "GET", "auto-aof-rewrite-percentage")
    assert told[1] == b"100"
    for name, content in held.items():
        assert content_of(folder / name)[: len(content)] == content
    assert b"".join(held.values()).count(b"later") == 0
    assert sum(name.endswith(".manifest") for name in held) == 1
    let_go(folder)
    assert not left_in(engine.folder, "backup.*")
    await client.aclose()


async def test_a_restored_log_is_another_and_its_webhooks_go_on(box: Box) -> None:
    scripts, log = Scripts(box.client), box.log
    await scripts.hook_begin(log, hook="h", run="r")
    await box.receive()
    before = await box.store.head(log=log)
    assert await scripts.restored(log, epoch="another") == [b"ok", 0]
    head = await box.store.head(log=log)
    assert (head.epoch, head.seq, head.tip) == ("another", before.seq, before.tip)
    place = {"hook": "h", "holder": "me", "lease_ms": 1000, "n": 10}
    _, epoch, seq, _, lost, missed, entries, *_ = await scripts.hook_take(log, **place)
    assert (epoch, lost, missed) == (b"another", b"", 0)
    assert (seq, len(entries)) == (before.seq - 1, 1)


async def test_what_waited_to_be_sent_is_asked_about(box: Box) -> None:
    """It may have been sent after the backup: as after an attempt that got no answer."""
    await box.reply()
    assert await Scripts(box.client).restored(box.log, epoch="another") == [b"ok", 1]
    (item,) = await box.lease()
    assert item.unsettled


@pytest.mark.long
async def test_one_of_several_workers_does_it(tmp_path: Path) -> None:
    folder, file = tmp_path / "data", tmp_path / "all.tar"
    async with serving(folder, workers=2):
        assert (await run("backup", str(file), data_dir=folder))[0] == 0
        status, out, err = await run("verify", "--json", data_dir=folder)
        assert (status, json.loads(out)["findings"]) == (0, []), err
        assert (await run("migrate", "--status", data_dir=folder))[0] == 0
    said: list[str] = []
    assert (await restore(Settings(), file, tmp_path / "new", say=said.append))["ok"]
    assert not any("key" in line and "left out" in line for line in said)
