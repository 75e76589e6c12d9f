"""deploy/backup as an operator runs it, over a server that serves."""

from __future__ import annotations

import asyncio
import fcntl
import filecmp
import os
import stat
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final

import httpx2
import pytest
import pytest_asyncio

from tests.chaos.processes import Server, serving
from tests.served import SALES

SCRIPTS: Final = Path(__file__).parents[2] / "deploy" / "backup"


async def script(name: str, *words: str | Path, **environment: str | Path) -> tuple[int, str, str]:
    """Exit status, standard output, standard error."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("BATONBOX_")}
    given = {name: str(value) for name, value in environment.items()}
    first = given.pop("PATH", "")
    path = f"{first}:{Path(sys.executable).parent}:{kept['PATH']}".removeprefix(":")
    process = await asyncio.create_subprocess_exec(
        SCRIPTS / name, *words, env={**kept, "PATH": path, **given},
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    out, err = await asyncio.wait_for(process.communicate(), 100)
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()


def mode_of(path: Path) -> int:
    """Who may do what with it."""
    return stat.S_IMODE(path.stat().st_mode)


def program_of(path: Path, text: str) -> Path:
    """A program of the shell."""
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"#!/bin/sh\nset -e\n{text}\n")
    path.chmod(0o700)
    return path


async def inbound(server: Server, token: str, text: str) -> None:
    """A customer writes."""
    async with httpx2.AsyncClient(base_url=server.url, timeout=20) as http:
        body = {"from": "+14165550142", "to": SALES, "text": text}
        headers = {"authorization": f"Bearer {token}"}
        answer = await http.post("/v1/loopback/inbound", json=body, headers=headers)
        assert answer.is_success, answer.text


async def exported(server: Server, token: str) -> str:
    """Everything."""
    async with httpx2.AsyncClient(base_url=server.url, timeout=60) as http:
        headers = {"authorization": f"Bearer {token}"}
        return (await http.get("/v1/export", headers=headers)).text


def names(folder: Path, pattern: str = "*") -> set[str]:
    """What is in it."""
    return {path.name for path in folder.glob(pattern)}


@pytest.fixture
def backups(tmp_path: Path) -> Path:
    """A folder with older ones, and with files that are somebody else's."""
    folder = tmp_path / "backups"
    folder.mkdir()
    for day in (1, 2, 3):
        (folder / f"batonbox-2020010{day}-031000.tar").write_text("old")
    for name in ("batonbox-notes.tar", "other-20200101-031000.tar"):
        (folder / name).write_text("mine")
    return folder


@pytest_asyncio.fixture
async def server(tmp_path: Path) -> AsyncIterator[Server]:
    """Of a folder that is its own."""
    async with serving(tmp_path / "data", check_interval_s=0.5) as server:
        yield server


async def test_a_backup_is_proved_kept_copied_and_put_back(
    server: Server, backups: Path, tmp_path: Path
) -> None:
    token = await server.token()
    await inbound(server, token, "planted-before")
    copied = tmp_path / "copied"
    copy = program_of(tmp_path / "copy", f'mkdir "{copied}" && cp "$1" "{copied}"')
    settings: dict[str, Any] = {
        "BATONBOX_DATA_DIR": server.folder, "BACKUP_DIR": backups,
        "BACKUP_KEEP": "2", "BACKUP_AFTER": copy,
    }  # fmt: skip
    status, out, err = await script("batonbox-backup", **settings)
    assert status == 0, err
    made = Path(out.strip())
    assert names(backups) == {
        ".lock", "batonbox-20200103-031000.tar", "batonbox-notes.tar",
        "other-20200101-031000.tar", made.name,
    }  # fmt: skip
    assert mode_of(made) == 0o600
    assert filecmp.cmp(copied / made.name, made, shallow=False)

    await inbound(server, token, "planted-after")
    status, _, err = await script("batonbox-restore", made, server.folder)
    assert status == 2 and "stop it first" in err
    await server.stop()
    status, out, err = await script("batonbox-restore", made, BATONBOX_DATA_DIR=server.folder)
    assert status == 0, err
    (before,) = names(tmp_path, "data.before-*")
    assert f"what was there is in {tmp_path / before}\n" in out
    assert "appendonlydir" in names(tmp_path / before)
    assert not names(tmp_path, "*.restoring-*")
    await server.start()
    text = await exported(server, token)
    assert "planted-before" in text and "planted-after" not in text


async def test_what_does_not_verify_takes_no_older_one_away(backups: Path, tmp_path: Path) -> None:
    """The server's own command, and a disk that spoils what it has written."""
    spoiling = program_of(
        tmp_path / "bin" / "batonbox-server",
        f'out=$("{sys.executable}" -m batonbox_server "$@"); echo "$out"; if [ "$1" = backup ];'
        ' then printf spoilt | dd of="$out" bs=1 seek=520 conv=notrunc 2>/dev/null; fi',
    )
    settings: dict[str, Any] = {
        "BATONBOX_DATA_DIR": tmp_path / "data", "BACKUP_DIR": backups,
        "BACKUP_KEEP": "1", "PATH": spoiling.parent,
    }  # fmt: skip
    status, out, err = await script("batonbox-backup", **settings)
    assert (status, out) == (1, "") and "does not verify" in err
    assert len(names(backups, "batonbox-2020010*.tar")) == 3
    (doubtful,) = names(backups, "*.doubtful")

    # Nor does it take the place of what is there.
    before = names(backups)
    status, _, err = await script("batonbox-restore", backups / doubtful, backups)
    assert status and err
    assert names(backups) == before
    assert not names(tmp_path, "backups.*")


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"BACKUP_KEEP": "0"}, "number of 1 or more"),
        ({"BACKUP_PROVE": "maybe"}, "yes or no"),
        ({"BATONBOX_REDIS_URL": "redis://127.0.0.1:1", "BATONBOX_ENGINE_WAIT_S": "0"}, "no backup"),
    ],
)
async def test_what_cannot_be_done_is_said(wrong: dict[str, str], said: str, backups: Path) -> None:
    status, out, err = await script("batonbox-backup", BACKUP_DIR=backups, **wrong)
    assert (status, out) == (2, "") and said in err
    assert len(names(backups, "batonbox-2020010*.tar")) == 3


async def test_two_at_a_time_are_one(backups: Path) -> None:
    lock = os.open(backups / ".lock", os.O_CREAT | os.O_RDWR)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        status, _, err = await script("batonbox-backup", BACKUP_DIR=backups)
    finally:
        os.close(lock)
    assert status == 2 and "another one is under way" in err
