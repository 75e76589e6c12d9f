"""deploy/compose: a valid file, whose parts fit; its engines' script, run with real engines."""

from __future__ import annotations

import asyncio
import ipaddress
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from batonbox_server import config
from batonbox_server.store.address import Address
from tests.chaos.processes import Server
from tests.engines import binary
from tests.ports import free_port
from tests.programs import program
from tests.support import eventually

from .containerfile import stages

ROOT: Final = Path(__file__).parents[2]
FOLDER: Final = ROOT / "deploy" / "compose"
FILE: Final = FOLDER / "compose.yaml"
# What a supervisor waits for beyond its drain; see workers/supervisor.py.
MARGIN_S: Final = 15


def compose() -> dict[str, Any]:
    """The file, with its anchors resolved."""
    told: dict[str, Any] = yaml.safe_load(FILE.read_text(encoding="utf-8"))
    return told


def judged(file: Path) -> subprocess.CompletedProcess[str]:
    """By the schema of Compose files."""
    check = Path(sys.executable).parent / "check-jsonschema"
    words = [str(check), "--builtin-schema", "vendor.compose-spec", str(file)]
    return subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the folder in which make-secrets has run."""
    program("openssl", package="openssl")
    copy = shutil.copytree(FOLDER, tmp_path_factory.mktemp("deploy") / "compose")
    shutil.rmtree(copy / "secrets", ignore_errors=True)
    for _ in range(2):  # the second time it leaves everything as it is
        done = subprocess.run(
            [copy / "make-secrets", "inbox.example.com"],
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
    assert done.stdout == ""
    return copy


def test_it_is_a_compose_file(tmp_path: Path) -> None:
    said = judged(FILE)
    assert said.returncode == 0, said.stdout + said.stderr
    told = compose()
    told["services"]["batonbox"]["read-only"] = True
    wrong = tmp_path / "compose.yaml"
    wrong.write_text(yaml.safe_dump(told))
    assert judged(wrong).returncode == 1


@pytest.mark.parametrize("name", sorted(compose()["services"]))
def test_every_service_is_confined_and_bounded(name: str) -> None:
    service = compose()["services"][name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"] and "cap_add" not in service
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert not {"privileged", "pid", "ipc", "network_mode", "devices"} & service.keys()
    assert set(service["logging"]["options"]) == {"max-size", "max-file"}
    assert set(service["deploy"]["resources"]["limits"]) == {"cpus", "memory", "pids"}
    assert "stop_grace_period" in service and service["restart"] == "unless-stopped"
    assert re.search(r":[\d.]+[-\w.]*$", service["image"]) or "build" in service
    # Nothing of the machine's is handed in but files that are listed, for reading.
    assert all(re.match(r"[\w-]+:/", volume) for volume in service.get("volumes", ()))
    user = service.get("user") or stages(ROOT / "deploy/container/Containerfile")[-1].last("USER")
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", user if isinstance(user, str) else user[0])
    # Secrets come as files, and no variable holds one.
    assert not [v for v in service.get("environment", {}) if re.search("PASSWORD$|_KEY$|TOKEN$", v)]


def test_the_server_reads_its_settings_and_finds_the_others(made: Path) -> None:
    told = compose()
    services, server = told["services"], told["services"]["batonbox"]
    files = {name: made / secret["file"] for name, secret in told["secrets"].items()}
    assert sorted(path.name for path in files.values()) == sorted(
        p.name for p in (made / "secrets").iterdir()
    )
    environment = {
        name: str(files[Path(value).name]) if name.endswith("_FILE") else _defaulted(value)
        for name, value in server["environment"].items()
    }
    assert {Path(v).name for n, v in server["environment"].items() if n.endswith("_FILE")} == set(
        server["secrets"]
    )
    settings = config.load({**environment, "BATONBOX_DATA_DIR": "/var/lib/batonbox"})
    engine = Address.parse(settings.redis_url)
    assert list(engine.places) == [(name, 26379) for name in _SENTINELS]
    assert f"sentinel monitor {engine.service} " in (FOLDER / "engine.sh").read_text()
    assert {*_SENTINELS, *_ENGINES} <= services.keys()
    assert "@postgres:5432/" in settings.archive_url
    assert len(settings.secrets_key) == 44  # 32 bytes
    assert _seconds(server["stop_grace_period"]) >= settings.drain_s + MARGIN_S

    front = services["front"]["networks"]["front"]["ipv4_address"]
    assert environment["FORWARDED_ALLOW_IPS"] == front
    subnet = ipaddress.ip_network(told["networks"]["front"]["ipam"]["config"][0]["subnet"])
    addresses = [ipaddress.ip_address(services[n]["networks"]["front"]["ipv4_address"])
                 for n in ("front", "batonbox")]  # fmt: skip
    assert all(address in subnet for address in addresses) and len(set(addresses)) == 2
    # Who is reached from outside, and who is not.
    assert [name for name, service in services.items() if "ports" in service] == ["front"]
    for network in ("engine", "archive"):
        assert told["networks"][network] == {"internal": True}
    assert all((FOLDER / c["file"]).is_file() for c in told["configs"].values())
    assert "server batonbox:8080" in (FOLDER / "nginx" / "upstream.conf").read_text()


def test_secrets_are_for_their_owner_and_the_containers(made: Path) -> None:
    secrets = made / "secrets"
    assert secrets.stat().st_mode & 0o077 == 0  # nobody gets as far as the files
    assert all(path.stat().st_mode & 0o777 == 0o444 for path in secrets.iterdir())
    assert (FOLDER / ".gitignore").read_text().split() == ["/secrets/"]
    shown = subprocess.run(
        ["openssl", "x509", "-in", secrets / "tls.crt", "-noout", "-ext", "subjectAltName"],
        capture_output=True, text=True, timeout=60, check=True,
    ).stdout  # fmt: skip
    assert "DNS:inbox.example.com" in shown


class Engines:
    """Six processes of engine.sh on loopback; what Compose does with names, ports do here."""

    def __init__(self, folder: Path, secret: Path) -> None:
        self._folder = folder
        self._programs = folder / "bin"
        self._programs.mkdir()
        (self._programs / "valkey-server").symlink_to(binary().path)
        client = program("valkey-cli", "redis-cli", package="redis-tools")
        (self._programs / "valkey-cli").symlink_to(client)
        self._secret = secret
        self.ports = {name: free_port() for name in (*_ENGINES, *_SENTINELS)}
        self.processes: dict[str, asyncio.subprocess.Process] = {}

    async def start(self, name: str) -> None:
        """And wait until its health check is content."""
        (self._folder / name).mkdir(exist_ok=True)
        with (self._folder / f"{name}.log").open("ab") as log:
            self.processes[name] = await asyncio.create_subprocess_exec(
                *self._words(name), env=self._environment(name), stdout=log, stderr=log
            )
        for _ in range(300):
            assert self.processes[name].returncode is None, self.told(name)
            if await self.run(name, *self._words(name, "health")) == 0:
                return
            await asyncio.sleep(0.05)
        raise AssertionError(self.told(name))

    async def stop(self) -> None:
        """All of them."""
        for process in self.processes.values():
            if process.returncode is None:
                process.kill()
                await process.wait()

    async def run(self, name: str, *words: str) -> int | None:
        """A command with that one's environment; its status."""
        asked = await asyncio.create_subprocess_exec(
            *words, env=self._environment(name), stderr=asyncio.subprocess.DEVNULL
        )
        return await asyncio.wait_for(asked.wait(), 30)

    def told(self, name: str) -> str:
        """Its log."""
        return (self._folder / f"{name}.log").read_text()

    def configuration(self, name: str) -> str:
        """As its last failover left it."""
        return self._file(name).read_text()

    def configure(self, name: str, text: str) -> None:
        """As a failover does."""
        self._file(name).write_text(text)

    def mode(self, name: str) -> int:
        """Who may read it."""
        return self._file(name).stat().st_mode & 0o777

    def _file(self, name: str) -> Path:
        kind = "sentinel" if name in _SENTINELS else "engine"
        return self._folder / name / f"{kind}.conf"

    def command_line(self, name: str) -> bytes:
        """Which everybody on the machine may read."""
        return Path(f"/proc/{self.processes[name].pid}/cmdline").read_bytes()

    def _words(self, name: str, *before: str) -> list[str]:
        role = ["sentinel"] if name in _SENTINELS else []
        return ["/bin/sh", str(FOLDER / "engine.sh"), *before, *role]

    def _environment(self, name: str) -> dict[str, str]:
        return {
            "PATH": f"{self._programs}:{os.environ['PATH']}",
            "ENGINE_HOST": "127.0.0.1",
            "ENGINE_PORT": str(self.ports[name]),
            "ENGINE_PRIMARY": "127.0.0.1",
            "ENGINE_PRIMARY_PORT": str(self.ports["valkey-1"]),
            "ENGINE_DATA": str(self._folder / name),
            "ENGINE_PASSWORD_FILE": str(self._secret),
        }


_ENGINES: Final = ("valkey-1", "valkey-2", "valkey-3")
_SENTINELS: Final = ("sentinel-1", "sentinel-2", "sentinel-3")


@asynccontextmanager
async def engines(folder: Path, secret: Path) -> AsyncIterator[Engines]:
    """Started in the order of Compose."""
    site = Engines(folder, secret)
    try:
        for names in (_ENGINES[:1], _ENGINES[1:], _SENTINELS):
            await asyncio.gather(*(site.start(name) for name in names))
        yield site
    finally:
        await site.stop()


async def test_what_an_engine_was_told_first_stays_and_its_password_is_nowhere_to_be_seen(
    made: Path, tmp_path: Path
) -> None:
    secret = made / "secrets" / "engine_password"
    password = secret.read_text().strip()
    site = Engines(tmp_path, secret)
    try:
        for name in ("valkey-1", "valkey-2", "sentinel-1"):
            await site.start(name)
            assert password.encode() not in site.command_line(name)
            assert site.mode(name) == 0o600
        rewritten = site.configuration("valkey-1").replace("64mb 16mb 60", "32mb 8mb 60")
        site.configure("valkey-1", rewritten)
        await site.stop()
        await site.start("valkey-1")
        assert site.configuration("valkey-1") == rewritten
    finally:
        await site.stop()


@pytest.mark.long
async def test_a_primary_that_dies_is_replaced_and_comes_back_as_a_replica(
    made: Path, tmp_path: Path
) -> None:
    secret = made / "secrets" / "engine_password"
    url = (made / "secrets" / "engine_url").read_text().strip()
    async with AsyncExitStack() as stack:
        site = await stack.enter_async_context(engines(tmp_path, secret))
        for name in _SENTINELS:
            url = url.replace(f"{name}:26379", f"127.0.0.1:{site.ports[name]}")
        server = Server(tmp_path / "data", redis_url=url, engine_wait_s=60)
        await server.start()
        stack.push_async_callback(server.stop)
        token = await server.token("agent1")  # a write
        site.processes["valkey-1"].send_signal(signal.SIGKILL)
        await site.processes["valkey-1"].wait()

        def replaced() -> bool:
            return any("replicaof" not in site.configuration(n) for n in _ENGINES[1:])

        await eventually(replaced, timeout_s=30, what="a replica was promoted")
        await site.start("valkey-1")
        await eventually(
            lambda: "replicaof 127.0.0.1" in site.configuration("valkey-1"),
            timeout_s=30, what="the old primary follows the new one",
        )  # fmt: skip
        await server.ready()
        assert await server.token("agent1") != token


def _defaulted(value: str) -> str:
    """`${NAME:-default}`, without the name set."""
    return re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", value)


def _seconds(text: str) -> int:
    return int(text.removesuffix("s"))
