"""Secrets that were given to a real server, used in every way, and are then looked for everywhere.

In the engine's files, the archive, the index, the log, the audit log, what it exports and measures.
"""

from __future__ import annotations

import asyncio
import base64
import secrets
import stat
import sys
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import httpx2
import pytest

from batonbox_server.engine import EmbeddedEngine
from batonbox_server.errors import EngineUnavailable, EngineUnsuitable
from batonbox_server.store.connect import EngineClient
from tests.chaos.processes import Server, serving
from tests.integration.test_webhook import listening
from tests.integration.twilio_vendor import PUBLIC, SID

TEXT: Final = "a message that only its readers may see"


def word(name: str) -> str:
    """A secret that is nowhere else, and says whose it is where it is found."""
    return f"planted-{name}-{secrets.token_hex(12)}"


class Planted:
    """What was given to the server, by name."""

    def __init__(self) -> None:
        self.settings = {
            "webhook_secret": base64.b64encode(word("webhook").encode()).decode(),
            "jwt_secret": word("jwt") * 2,
            "twilio_auth_token": word("twilio"),
            "kannel_password": word("kannel"),
            "oidc_client_secret": word("oidc"),
            "secrets_key": base64.b64encode(secrets.token_bytes(32)).decode(),
            "media_s3_secret": word("s3"),
        }
        self.secrets = dict(self.settings)

    def spelt(self) -> dict[str, set[bytes]]:
        """Each secret as it may be written somewhere."""
        found = {}
        for name, secret in self.secrets.items():
            raw = secret.encode()
            plain = {raw, base64.b64encode(raw).rstrip(b"="), raw[::-1], raw.hex().encode()}
            if name in {"webhook_secret", "secrets_key"}:
                plain.add(base64.b64decode(secret))
            found[name] = plain
        return found


async def exercised(server: Server, planted: Planted) -> dict[str, bytes]:
    """Use every secret, right and wrong; returns what the server said that others may see."""
    made = planted.secrets
    admin = await server.token()
    made["api token"] = admin
    bearer = {"authorization": f"Bearer {admin}"}
    said: dict[str, bytes] = {}
    async with httpx2.AsyncClient(base_url=server.url, timeout=20) as http:

        async def call(method: str, path: str, body: Any = None, **more: Any) -> Any:
            answer = await http.request(method, path, json=body, headers=more or bearer)
            assert answer.status_code < 500, (path, answer.text)
            return answer

        page = {"origin": server.url}
        made["password"], made["wrong password"] = word("password"), word("wrong")
        await call("PUT", "/v1/admin/users/agent1/password", {"password": made["password"]})
        for name in ("wrong password", "password"):
            body = {"user": "agent1", "password": made[name]}
            answer = await call("POST", "/v1/session", body, **page)
        made["session"] = answer.headers["set-cookie"].partition("=")[2].partition(";")[0]
        http.cookies.clear()
        cookie = {"cookie": f"batonbox={made['session']}", **page}
        derived = await call("POST", "/v1/connection-tokens", None, **cookie)
        made["connection token"] = derived.json()["token"]
        await call("GET", "/v1/me", None, authorization=f"Bearer {made['connection token']}")
        made["unknown token"] = f"bb_{word('unknown')}"
        await call("GET", "/v1/me", None, authorization=f"Bearer {made['unknown token']}")
        invite = await call("POST", "/v1/admin/invites", {"name": "Zoë"})
        made["invitation"] = invite.json()["code"]
        await call("POST", "/v1/session/invite/look", {"code": made["invitation"]}, **page)
        made["account"] = word("account")
        account = {
            "id": "acme", "kind": "twilio", "name": "A", "config": {"account_sid": SID},
            "secret": made["account"],
        }  # fmt: skip
        assert (await call("POST", "/v1/admin/carriers", account)).status_code == 201
        await call("POST", "/v1/admin/carriers/acme/check")
        await call("POST", "/v1/carriers/acme/inbound", {"no": "form"}, **page)
        conv = await _talked(call)
        await _archived(call)
        for path in ("/v1/admin/audit?limit=200", "/v1/admin/carriers", "/v1/admin/users",
                     "/v1/admin/users/agent1/tokens", "/v1/admin/users/agent1/sessions",
                     "/v1/admin/invites", "/v1/export", "/v1/admin/audit/export", "/metrics",
                     "/readyz", f"/v1/conversations/{conv}/export"):  # fmt: skip
            answer = await call("GET", path)
            assert answer.status_code == 200, (path, answer.text)
            said[path] = answer.content
    return said


async def _talked(call: Any) -> str:
    """A conversation that is done, and so leaves for the archive."""
    body = {"from": "+14165550142", "to": "+14165550100", "text": TEXT}
    conv = ""
    for _ in range(8):
        answer = await call("POST", "/v1/loopback/inbound", body)
        conv = str(answer.json()["conv"])
    done = await call("POST", f"/v1/conversations/{conv}/done", {})
    assert done.status_code == 200, done.text
    return conv


def files_of(folder: Path) -> dict[str, bytes]:
    """Every file below it that can be read."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def mode_of(path: Path) -> int:
    """What kind of file it is, and who may read it."""
    return path.stat().st_mode


async def test_no_secret_stands_anywhere_in_clear(tmp_path: Path) -> None:
    planted, data = Planted(), tmp_path / "data"
    async with listening() as gateway:
        settings: dict[str, Any] = {
            **planted.settings, "webhook_url": gateway.url, "public_url": PUBLIC,
            "twilio_account_sid": SID, "twilio_url": "http://127.0.0.1:1",
            "kannel_url": "http://127.0.0.1:1/cgi-bin/sendsms",
            "oidc_issuer": "http://127.0.0.1:1", "oidc_client_id": "batonbox",
            "archive_done_days": 0, "archive_sweep_s": 0.1, "log_level": "debug",
        }  # fmt: skip
        async with serving(data, **settings) as server:
            said = await exercised(server, planted)
            link = await _link(server)
            planted.secrets["one-click link"] = link
            seen = {**files_of(data), **said}
        # As it is left on disk, too; and all that it wrote to its log.
        seen |= {f"stopped: {name}": raw for name, raw in files_of(data).items()}
        seen["log"] = server.log.read_bytes()
    # It was looked at where things are.
    assert any(b"agent1" in raw for name, raw in seen.items() if "appendonly" in name)
    assert any(TEXT.encode() in raw for name, raw in seen.items() if "search" in name)
    assert any(raw.startswith(b"SQLite") for name, raw in seen.items() if "archive" in name)
    assert b"sign_in_refused" in seen["log"]
    found = [
        (name, where)
        for name, spellings in planted.spelt().items()
        for where, raw in seen.items()
        if any(spelling in raw for spelling in spellings)
    ]
    assert found == []
    # Nor does a log tell what people write.
    assert TEXT.encode() not in seen["log"]


async def _archived(call: Any) -> None:
    """Until something is in the archive, too."""
    async with asyncio.timeout(30):
        while not (await call("GET", "/v1/archive")).json()["messages"]:
            await asyncio.sleep(0.1)


async def _link(server: Server) -> str:
    """A one-click link, which the command prints and nothing keeps."""
    made = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "batonbox_server", "link", "agent2",
        env=server.environment, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    out, _ = await asyncio.wait_for(made.communicate(), 30)
    assert made.returncode == 0
    return out.decode().strip().partition("#")[2].partition("=")[2]


async def test_who_may_read_the_folder(tmp_path: Path) -> None:
    """The owner alone: what the engine and the archive keep is everybody's messages."""
    data = tmp_path / "data"
    async with serving(data):
        assert mode_of(data) & 0o077 == 0


async def test_the_engines_password_is_nowhere_to_be_read(engine: EmbeddedEngine) -> None:
    """By somebody else of the machine; and who has not got it gets nowhere."""
    password = urlsplit(engine.url).password or ""
    assert len(password) == 64
    client = EngineClient(engine.url)
    await client.connect()
    try:
        await client.execute("SET", "k", "v")
        config = await client.execute("CONFIG", "GET", "unixsocket")
    finally:
        await client.aclose()
    here = {name: raw for name, raw in files_of(engine.folder).items() if raw}
    assert here
    process = Path(f"/proc/{engine.pid}")
    seen = [*here.values(), *((process / name).read_bytes() for name in ("cmdline", "environ"))]
    assert not [raw for raw in seen if password.encode() in raw]
    mode = mode_of(Path(config[1].decode()))
    assert stat.S_ISSOCK(mode) and mode & 0o077 == 0
    stranger = EngineClient(engine.url.replace(password, "0" * 64))
    with pytest.raises((EngineUnsuitable, EngineUnavailable), match="password"):
        await stranger.connect()
    await stranger.aclose()
