"""The image: its Containerfile is linted, its steps are executed, and what they make is run.

No image is built here: see `rooted.py` for what stands in its place.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Final

import httpx2
import pytest

from batonbox import Client
from tests.ports import free_port

from .containerfile import context, stages
from .rooted import Container, Root, need_root

ROOT: Final = Path(__file__).parents[2]
FILE: Final = ROOT / "deploy" / "container" / "Containerfile"
# What installs or compiles something has no business where the server runs.
TOOLS: Final = ("pip", "apt", "gcc", "make", "curl", "wget", "npm")


def test_hadolint_finds_nothing(tmp_path: Path) -> None:
    lint = Path(sys.executable).parent / "hadolint"
    said = subprocess.run([lint, FILE], capture_output=True, text=True, timeout=60, check=False)
    assert said.returncode == 0, said.stdout + said.stderr
    worse = tmp_path / "Containerfile"
    worse.write_text(FILE.read_text().replace(":3.11-slim-bookworm", ""))
    said = subprocess.run([lint, worse], capture_output=True, text=True, timeout=60, check=False)
    assert "DL3006" in said.stdout


def test_the_context_has_what_is_built_from_and_nothing_else() -> None:
    files = {path.as_posix() for path in context(ROOT, ROOT / ".dockerignore")}
    assert {"LICENSE", "README.md", "constraints.txt", "pyproject.toml"} <= files
    assert {"server/web_client/build_hook.py", "client_sdk/batonbox/py.typed"} <= files
    assert {path.split("/")[0] for path in files if "/" in path} == {"server", "client_sdk"}
    assert not [path for path in files if "__pycache__" in path or "node_modules" in path]


def test_the_final_stage_is_small_and_runs_as_nobody_in_particular() -> None:
    build, final = stages(FILE)
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert build.image == final.image
    assert final.labels()["org.opencontainers.image.version"] == version
    assert all(final.labels().values())
    assert [step.text for step in final.all("RUN") if any(t in step.text for t in TOOLS)] == []
    (user,) = final.last("USER")
    assert all(int(number) > 1000 for number in user.split(":"))  # Kubernetes compares numbers
    assert final.last("HEALTHCHECK") == ["python", "-m", "batonbox_server.health"]


# Where the checkout's page is older than its sources the steps build it: npm, and a Node of 60 MB.
@pytest.mark.timeout(300)
async def test_the_steps_make_a_server_that_runs_confined(tmp_path: Path) -> None:
    need_root()
    _, final = made = stages(FILE)
    roots: dict[str, Root] = {}
    files = context(ROOT, ROOT / ".dockerignore")
    for stage in made:
        roots[stage.name] = Root(tmp_path / (stage.name or "final"))
        await asyncio.to_thread(roots[stage.name].build, stage, files, roots)
    root = roots[final.name]
    programs = {path.name for path in (root.upper / "opt/batonbox/bin").iterdir()}
    assert {"batonbox", "batonbox-server"} <= programs
    assert not [name for name in programs if name.startswith(TOOLS)]

    volume, log, port = tmp_path / "volume", tmp_path / "log", free_port()
    volume.mkdir(mode=0o700)
    uid = (root.upper / "var/lib/batonbox").stat().st_uid
    # As an engine does with a new volume: it takes the folder's owner of the image.
    os.chown(volume, uid, uid)
    loopback = {"host": "127.0.0.1", "port": str(port)}
    async with root.running(final, volume, log, **loopback) as container:
        await _healthy(container, log)
        confined = container.status()
        assert confined["Uid"].split() == [str(uid)] * 4
        assert confined["CapEff"] == confined["CapBnd"] == "0" * 16
        assert confined["NoNewPrivs"] == "1"
        status, said = await container.executed("touch", "/opt/batonbox/here")
        assert status == 1 and "Read-only file system" in said
        await _used(container, f"http://127.0.0.1:{port}")
        container.signal(signal.SIGTERM)
        assert await asyncio.wait_for(container.process.wait(), 30) == 0, said_in(log)
    assert {"appendonlydir", "media", "search.sqlite"} <= {path.name for path in volume.iterdir()}
    assert list(volume.glob("batonbox-*.tar"))


async def _healthy(container: Container, log: Path) -> None:
    """Until the image's own health check is content."""
    words = stages(FILE)[-1].last("HEALTHCHECK")
    for _ in range(100):
        assert container.process.returncode is None, said_in(log)
        status, said = await container.executed(*words)
        if status == 0:
            assert said == "ready\n"
            return
        await asyncio.sleep(0.1)
    raise AssertionError(f"{said}\n{said_in(log)}")


def said_in(log: Path) -> str:
    """What the server printed."""
    return log.read_text(encoding="utf-8")


async def _used(container: Container, url: str) -> None:
    """The main job, a file, and a backup, which all have to be written somewhere."""
    status, token = await container.executed("batonbox-server", "token", "dana")
    assert status == 0, token
    headers = {"authorization": f"Bearer {token.strip()}"}
    async with httpx2.AsyncClient(base_url=url, headers=headers, timeout=20) as http:
        page = await http.get("/")
        assert page.status_code == 200 and "<script" in page.text  # the page was built
        picture = b"\x89PNG\r\n\x1a\n" + bytes(2_000_000)
        kept = await http.post("/v1/media", content=picture)
        assert kept.is_success, kept.text
    async with Client(url, token.strip()) as client:
        assert client.user.id == "dana"
    status, said = await container.executed("batonbox-server", "backup", "/var/lib/batonbox/")
    assert status == 0, said
