"""Data of every release is served by the present code, and nothing of it is missing."""

from __future__ import annotations

import asyncio
import json
import tarfile
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.chaos.processes import Server, serving
from tests.release.keeping import (
    KEPT,
    PASSWORD,
    PIXEL,
    SALES,
    SETTINGS,
    answer,
    server_command,
)

RELEASES = sorted(folder.name for folder in KEPT.iterdir() if folder.is_dir())
# What is of the moment at which it was asked for.
OF_THE_MOMENT = frozenset({"presence", "index"})


def unpacked(file: Path, into: Path) -> Path:
    """The files in it."""
    into.mkdir(mode=0o700, parents=True)
    with tarfile.open(file) as tar:
        tar.extractall(into, filter="data")
    return into


def missing(held: Any, now: Any, where: str = "") -> list[str]:
    """What was held and is not there any more; more may be there, in objects."""
    if isinstance(held, dict) and isinstance(now, dict):
        return [
            found
            for name, value in held.items()
            if name not in OF_THE_MOMENT
            for found in missing(value, now.get(name), f"{where}.{name}")
        ]
    if isinstance(held, list) and isinstance(now, list) and len(held) == len(now):
        pairs = enumerate(zip(held, now, strict=True))
        return [found for i, (a, b) in pairs for found in missing(a, b, f"{where}[{i}]")]
    return [] if held == now else [f"{where}: {held!r} is {now!r} now"]


async def lost(server: Server, kept: dict[str, Any]) -> list[str]:
    """What is missing, once the index of words had its time to be made anew."""
    found = await compared(server, kept)
    for _ in range(100):
        if not any(one.startswith("/v1/search") for one in found):
            break
        await asyncio.sleep(0.2)
        found = await compared(server, kept)
    return found


async def compared(server: Server, kept: dict[str, Any]) -> list[str]:
    """All that the release answered, asked for again."""
    found: list[str] = []
    for one in kept["holds"]:
        now = await answer(server.url, kept["tokens"][one["user"]], one["path"])
        found += missing(one["answer"], now, f"{one['path']} ({one['user']})")
    return found


def test_what_is_missing_is_told() -> None:
    held = {"rows": [{"id": "a", "n": 1}], "presence": "online"}
    assert missing(held, {"rows": [{"id": "a", "n": 1, "new": 0}]}) == []
    assert missing(held, {"rows": [{"id": "a", "n": 2}]}) == [".rows[0].n: 1 is 2 now"]
    assert missing(held, {"rows": []}) == [".rows: [{'id': 'a', 'n': 1}] is [] now"]
    assert missing(held, {}) == [".rows: [{'id': 'a', 'n': 1}] is None now"]


@pytest.mark.parametrize("version", RELEASES)
async def test_the_folder_of_a_release_is_served(version: str, tmp_path: Path) -> None:
    kept = json.loads((KEPT / version / "holds.json").read_text(encoding="utf-8"))
    folder = unpacked(KEPT / version / "data.tar.xz", tmp_path / "data")
    async with serving(folder, demo=False, **SETTINGS) as server:
        await server_command(server, "migrate")
        assert await lost(server, kept) == []
        assert json.loads(await server_command(server, "verify", "--json"))["ok"]
        await goes_on(server, kept)
        assert json.loads(await server_command(server, "verify", "--json"))["ok"]


def pictures(kept: dict[str, Any]) -> set[str]:
    """Where files of messages are."""
    return {
        f"{path}/{message['n']}/media/{i}"
        for one in kept["holds"]
        if (path := one["path"].partition("?")[0]).startswith("/v1/conversations/")
        and path.endswith("/messages")
        for message in one["answer"]["items"]
        for i in range(len(message["body"].get("media", ())))
    }


async def goes_on(server: Server, kept: dict[str, Any]) -> None:
    """People sign in as before, see a file, and the customer who waited is answered."""
    tokens = kept["tokens"]
    async with httpx2.AsyncClient(base_url=server.url, timeout=20) as http:
        signed_in = await http.post(
            "/v1/session",
            json={"user": "agent1", "password": PASSWORD},
            headers={"origin": server.url},
        )
        assert signed_in.is_success, signed_in.text
        http.headers["authorization"] = f"Bearer {tokens['admin']}"
        body = {"from": "+14165550150", "to": SALES, "text": "Still there?"}
        texted = await http.post("/v1/loopback/inbound", json=body)
        conv = texted.json()["conv"]
        waited = await answer(server.url, tokens["admin"], f"/v1/conversations/{conv}")
        said = [message["body"].get("text") for message in waited["messages"]]
        assert {"Is anybody there?", "Hello?", "Still there?"} <= set(said)
        (picture,) = pictures(kept)
        file = await http.get(picture, follow_redirects=True)
        assert (file.status_code, file.content) == (200, PIXEL)
        for verb, args in (("assign", {}), ("reply", {"text": "We are."}), ("done", {})):
            done = await http.post(f"/v1/conversations/{conv}/{verb}", json=args)
            assert done.is_success, done.text


@pytest.mark.long
@pytest.mark.parametrize("version", RELEASES)
async def test_the_backup_of_a_release_is_restored(version: str, tmp_path: Path) -> None:
    kept = json.loads((KEPT / version / "holds.json").read_text(encoding="utf-8"))
    backup = unpacked(KEPT / version / "backup.tar.xz", tmp_path / "kept") / "backup.tar"
    folder = tmp_path / "data"
    unstarted = Server(folder, demo=False, **SETTINGS)
    await server_command(unstarted, "restore", str(backup), "--data-dir", str(folder))
    async with serving(folder, demo=False, **SETTINGS) as server:
        assert await lost(server, kept) == []
