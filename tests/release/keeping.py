"""Keeps what a release leaves on disk: a small data folder, a backup of it, and what they hold.

    python -m tests.release.keeping     at the release's tag: writes tests/release/kept/VERSION/

`holds.json` has answers of that release's HTTP API, with the API tokens to ask for them again;
`test_upgrade.py` lets the present code answer. Everything in it is made up for this.
"""

from __future__ import annotations

import asyncio
import base64
import json
import sys
import tarfile
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import httpx2

from batonbox_server import __version__
from tests.chaos.processes import Server, serving

__all__ = ["KEPT", "PASSWORD", "SETTINGS", "USERS", "answer", "packed"]

KEPT: Final = Path(__file__).parent / "kept"
USERS: Final = ("admin", "agent1", "agent2")
PASSWORD: Final = "kept since that release"
ORIGIN: Final = "https://box.example.org"
# So that a few messages are enough for an archive.
SETTINGS: Final[Mapping[str, Any]] = {
    "archive_keep_messages": 2,
    "archive_sweep_s": 0.2,
    "commands_per_s": 500,
    "commands_burst": 500,
    "public_url": ORIGIN,
}
SALES, SUPPORT = "+14165550100", "+14165550101"
PIXEL: Final = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwAD"
    "hgGAWjR9awAAAABJRU5ErkJggg=="
)


async def answer(url: str, token: str, path: str) -> Any:
    """What is there, decoded. Raises AssertionError."""
    async with httpx2.AsyncClient(timeout=20) as http:
        said = await http.get(url + path, headers={"authorization": f"Bearer {token}"})
    assert said.status_code == 200, f"{path}: {said.status_code} {said.text}"
    return said.json()


def packed(folder: Path, file: Path) -> None:
    """The folder's files, compressed."""
    with tarfile.open(file, "w:xz") as tar:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                tar.add(path, path.relative_to(folder))


class Company:
    """The demo organisation at work, over HTTP."""

    def __init__(self, server: Server, tokens: dict[str, str]) -> None:
        self._url, self._tokens = server.url, tokens

    async def do(self, user: str, method: str, path: str, body: Any = None, **more: Any) -> Any:
        """One request. Raises AssertionError."""
        headers = {"authorization": f"Bearer {self._tokens[user]}"}
        async with httpx2.AsyncClient(timeout=20) as http:
            said = await http.request(
                method, f"{self._url}/v1/{path}", json=body, headers=headers, **more
            )
        assert said.is_success, f"{method} {path}: {said.status_code} {said.text}"
        return said.json() if said.content else None

    async def texts(self, customer: int, text: str, *, to: str = SALES) -> str:
        """A customer writes; the conversation."""
        body = {"from": f"+1416555015{customer}", "to": to, "text": text}
        return str((await self.do("admin", "POST", "loopback/inbound", body))["conv"])

    async def act(self, user: str, conv: str, verb: str, **body: Any) -> None:
        """A command about a conversation."""
        await self.do(user, "POST", f"conversations/{conv}/{verb}", body)

    async def customers(self) -> list[str]:
        """Conversations in every state that time alone does not change: no owner is waited for."""
        waits = await self.texts(0, "Is anybody there?")
        await self.texts(0, "Hello?")
        long = await self.texts(1, "I would like to order.")
        await self.act("agent1", long, "assign")
        for i in range(8):
            await self.act("agent1", long, "reply", text=f"Which of them, {i}?")
            await self.texts(1, f"The zither, number {i}.")
        await self.act("agent1", long, "reply", text="All of them, then.")
        handed = await self.texts(2, "Can you send an invoice?", to=SUPPORT)
        await self.act("agent2", handed, "assign")
        await self.act("agent2", handed, "note", text="Billing knows of it.")
        await self.act("agent2", handed, "transfer", to="admin", note="yours, I think")
        await self.act("admin", handed, "reply", text="It is on its way.")
        done = await self.texts(3, "Thank you!")
        await self.act("agent2", done, "assign")
        await self.act("agent2", done, "reply", text="You are welcome.")
        await self.act("agent2", done, "done")
        given_back = await self.texts(5, "A picture, please.")
        await self.act("agent1", given_back, "assign")
        async with httpx2.AsyncClient(timeout=20) as http:
            sent = await http.post(
                f"{self._url}/v1/media", params={"name": "pixel.png"}, content=PIXEL,
                headers={"authorization": f"Bearer {self._tokens['agent1']}",
                         "content-type": "image/png"},
            )  # fmt: skip
        assert sent.is_success, sent.text
        await self.act("agent1", given_back, "reply", text="Here.", media=[sent.json()["id"]])
        await self.act("agent1", given_back, "return")
        await self.do("admin", "POST", f"conversations/{long}/hold",
                      {"on": True, "reason": "a dispute"})  # fmt: skip
        out = await self.texts(6, "STOP")
        return [waits, long, handed, done, given_back, out]

    async def team(self) -> list[str]:
        """Rooms."""
        direct = await self.do("agent1", "POST", "rooms/direct", {"user": "agent2"})
        closed = await self.do(
            "admin", "POST", "rooms", {"name": "prices", "private": True, "members": ["agent1"]}
        )
        rooms = [str(made["room"]["id"]) for made in (direct, closed)]
        for n in range(6):
            await self.do("agent1", "POST", f"rooms/{rooms[0]}/post", {"text": f"lunch at {n}?"})
        said = await self.do("agent1", "POST", f"rooms/{rooms[1]}/post", {"text": "a zither is 5"})
        await self.do("agent1", "POST", f"rooms/{rooms[1]}/edit",
                      {"n": said["n"], "text": "a zither is 6"})  # fmt: skip
        return rooms

    async def settings(self) -> None:
        """What an admin sets."""
        for n, name in enumerate(("Zoe Example", "Émile Exemple")):
            contact = {"name": name, "numbers": [f"+1416555015{n}"], "note": "a friend"}
            await self.do("agent1", "POST", "contacts", contact)
        await self.do("admin", "PUT", "retention", {"external_days": 36500, "internal_days": 36500})
        await self.do("admin", "PUT", "admin/users/agent1/password", {"password": PASSWORD})
        account = {"id": "line", "kind": "twilio", "name": "A line", "secret": "which is sealed",
                   "config": {"account_sid": "AC" + 32 * "0"}}  # fmt: skip
        await self.do("admin", "POST", "admin/carriers", account)


def asked_for(convs: list[str], rooms: list[str], at_s: int) -> list[tuple[str, str]]:
    """By whom, and what."""
    everybody = ["/v1/me", "/v1/users", "/v1/inboxes", "/v1/contacts", "/v1/rooms", "/v1/channels",
                 "/v1/search?q=zither", "/v1/interactions?filter=all"]  # fmt: skip
    everybody += [
        f"/v1/conversations?view={view}" for view in ("open", "unassigned", "mine", "done")
    ]
    admins = ["/v1/admin/users", "/v1/admin/inboxes", "/v1/admin/numbers", "/v1/admin/carriers",
              "/v1/retention", "/v1/holds", f"/v1/admin/audit?until={at_s}&limit=200"]  # fmt: skip
    for conv in convs:
        admins += [f"/v1/conversations/{conv}", f"/v1/conversations/{conv}/messages?limit=50"]
    asked = [(user, path) for user in USERS for path in everybody]
    asked += [("admin", path) for path in admins]
    for room in rooms:
        asked += [
            ("agent1", f"/v1/rooms/{room}"),
            ("agent1", f"/v1/rooms/{room}/messages?limit=50"),
        ]
    return asked


async def keep(into: Path) -> None:
    """Make it all."""
    with tempfile.TemporaryDirectory() as where:
        folder = Path(where, "data")
        async with serving(folder, **SETTINGS) as server:
            tokens = {user: await server.token(user) for user in USERS}
            company = Company(server, tokens)
            convs, rooms = await company.customers(), await company.team()
            await company.settings()
            # What goes to simulated phones goes in its own time, and so do its receipts.
            await asyncio.sleep(1)
            while not await archived(server.url, tokens["admin"]):
                await asyncio.sleep(0.2)
        async with serving(folder, demo=False, **SETTINGS) as server:
            at_s = int(time.time())
            held = [
                {"user": user, "path": path, "answer": await answer(server.url, tokens[user], path)}
                for user, path in asked_for(convs, rooms, at_s)
            ]
            backup = Path(where, "backup.tar")
            await server_command(server, "backup", str(backup))
        write(into, folder, backup, {"tokens": tokens, "holds": held})


def write(into: Path, folder: Path, backup: Path, held: dict[str, Any]) -> None:
    """Into the folder of the release; one answer a line."""
    into.mkdir(parents=True)
    packed(folder, into / "data.tar.xz")
    with tarfile.open(into / "backup.tar.xz", "w:xz") as tar:
        tar.add(backup, backup.name)
    lines = ",\n".join(json.dumps(one, ensure_ascii=False) for one in held["holds"])
    text = f'{{"tokens": {json.dumps(held["tokens"])}, "holds": [\n{lines}\n]}}\n'
    (into / "holds.json").write_text(text, encoding="utf-8")


async def archived(url: str, token: str) -> bool:
    """Whether what is old is in the archive."""
    report = await answer(url, token, "/v1/archive")
    return bool(report["messages"]) and not report["waiting"]


async def server_command(server: Server, *args: str) -> str:
    """What a command prints that has this server's settings. Raises AssertionError."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "batonbox_server", *args,
        env=server.environment, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    said, _ = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == 0, said.decode()
    return said.decode()


if __name__ == "__main__":
    asyncio.run(keep(Path(sys.argv[1]) if sys.argv[1:] else KEPT / __version__))
