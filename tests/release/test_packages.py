"""What a release is: two distributions that hold what they should, and work where nothing else is.

The environments' packages come from the registry, or from pip's cache.
"""

from __future__ import annotations

import json
import re
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes
from fnmatch import fnmatch
from pathlib import Path

import pytest

from tests.ports import free_port
from tests.release.building import ROOT, Environment, Packages, built, contents, rebuilt

pytestmark = [pytest.mark.long, pytest.mark.timeout(600)]

# Everything that may be in a wheel, beside its metadata.
MAY_HOLD = {
    "batonbox-server": [
        "batonbox_server/*.py", "batonbox_server/py.typed", "batonbox_server/store/lua/*.lua",
        "batonbox_server/web/index.html", "batonbox_server/web/sw.js", "batonbox_server/web/*.svg",
        "batonbox_server/web/manifest.webmanifest", "batonbox_server/web/.stamp",
        "batonbox_server/web/assets/*.js", "batonbox_server/web/assets/*.css",
    ],
    "batonbox": ["batonbox/*.py", "batonbox/py.typed", "pytest_batonbox.py"],
}  # fmt: skip
NAMES = sorted(MAY_HOLD)
NEEDS = {"batonbox", "msgpack", "msgspec", "websockets"}


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Packages]:
    return built(tmp_path_factory.mktemp("dist"))


@pytest.fixture(scope="module")
def server(packages: dict[str, Packages], tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """Where an operator installed the server."""
    return Environment(tmp_path_factory.mktemp("server"), packages["batonbox-server"].wheel)


@pytest.fixture(scope="module")
def sdk(packages: dict[str, Packages], tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """Where somebody who writes bots installed the SDK."""
    return Environment(tmp_path_factory.mktemp("sdk"), packages["batonbox"].wheel)


@pytest.mark.parametrize("name", NAMES)
def test_a_wheel_holds_what_it_should(packages: dict[str, Packages], name: str) -> None:
    held = contents(packages[name].wheel)
    info = {path for path in held if ".dist-info/" in path}
    rest = held.keys() - info
    unexpected = {p for p in rest if not any(fnmatch(p, may) for may in MAY_HOLD[name])}
    assert not unexpected
    assert not {p for p in rest if re.search(r"(^|/)(tests?|node_modules)/|\.map$", p)}
    for pattern in MAY_HOLD[name]:
        assert any(fnmatch(p, pattern) for p in rest), f"there is no {pattern}"
    (licence,) = (held[p] for p in info if p.endswith("/licenses/LICENSE"))
    assert licence == (ROOT / "LICENSE").read_bytes()


@pytest.mark.parametrize("name", NAMES)
def test_every_module_of_ours_is_in_its_wheel(packages: dict[str, Packages], name: str) -> None:
    within = "server/" if name == "batonbox-server" else "client_sdk/"
    tracked = subprocess.run(
        ["git", "ls-files", f"{within}{name.replace('-', '_')}"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout.split()  # fmt: skip
    ours = {path.removeprefix(within) for path in tracked if (ROOT / path).exists()}
    assert len(ours) > 50
    assert ours <= contents(packages[name].wheel).keys()


@pytest.mark.parametrize("name", NAMES)
def test_the_metadata_says_what_it_is(packages: dict[str, Packages], name: str) -> None:
    (raw,) = (
        text for path, text in contents(packages[name].wheel).items() if path.endswith("/METADATA")
    )
    said = message_from_bytes(raw)
    assert (said["Name"], said["License-Expression"]) == (name, "Apache-2.0")
    assert said["Requires-Python"] == ">=3.11"
    assert said["Description-Content-Type"] == "text/markdown"
    assert said.get_payload()
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    if f"## [{said['Version']}]" not in changelog:
        assert "## [Unreleased]" in changelog


@pytest.mark.parametrize("name", NAMES)
def test_an_sdist_makes_the_same_wheel_without_node(
    packages: dict[str, Packages], name: str, tmp_path: Path
) -> None:
    again, wheel = rebuilt(packages[name].sdist, tmp_path), packages[name].wheel
    assert contents(again) == contents(wheel)
    assert again.read_bytes() == wheel.read_bytes()


def test_the_sdk_needs_three_packages_and_no_server(sdk: Environment, tmp_path: Path) -> None:
    say = "import importlib.metadata as m; print(*(d.name for d in m.distributions()))"
    assert set(sdk.run("python", "-c", say, cwd=tmp_path).split()) == NEEDS
    sdk.run("python", "-W", "error", "-c", "import batonbox, batonbox.sync", cwd=tmp_path)
    assert "send-inbound" in sdk.run("batonbox", "--help", cwd=tmp_path)


def test_the_main_job_without_a_checkout_and_without_node(
    server: Environment, sdk: Environment, tmp_path: Path
) -> None:
    """Serve, open the page, a text, a claim, a reply: each side has its own wheel alone."""
    assert not (server.bin / "node").exists()
    with serving(server, tmp_path) as url:
        page = read(url)
        scripts = re.findall(r'(?:src|href)="(/?assets/[^"]+)"', page)
        assert len(scripts) > 1
        for script in scripts:
            assert read(f"{url}/{script.lstrip('/')}")
        data = {"BATONBOX_DATA_DIR": str(tmp_path / "data")}
        token = server.run("batonbox-server", "token", "admin", cwd=tmp_path, **data).strip()
        reached = {"BATONBOX_URL": url, "BATONBOX_TOKEN": token}
        said = ["--from", "+14165550142", "--to", "+14165550100", "Is it ready?"]
        conv = sdk.run("batonbox", "send-inbound", "-q", *said, cwd=tmp_path, **reached).strip()
        code = (ROOT / "client_sdk" / "README.md").read_text(encoding="utf-8").split("```")[1]
        program = tmp_path / "answers.py"
        program.write_text(code.removeprefix("python\n"), encoding="utf-8")
        sdk.run("python", str(program), cwd=tmp_path, **reached)
        row = json.loads(read(f"{url}/v1/conversations/{conv}", token))
        assert row["assignee"] == "admin"
        phone = f"{url}/v1/loopback/outbound?to=%2B14165550142"
        while not (items := json.loads(read(phone, token))["items"]):
            time.sleep(0.05)
        assert [i["text"] for i in items] == ["We got your message and will be with you shortly."]
        sdk.run("batonbox", "done", conv, cwd=tmp_path, **reached)
        row = json.loads(read(f"{url}/v1/conversations/{conv}", token))
        assert row["status"] == "done"
        found = server.run("batonbox-server", "verify", "--json", cwd=tmp_path, **data)
        assert json.loads(found)["ok"]


@contextmanager
def serving(environment: Environment, folder: Path) -> Iterator[str]:
    """`batonbox-server serve --demo`, on a free port and this folder; the address."""
    url = f"http://127.0.0.1:{(port := free_port())}"
    log = folder / "server.log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            environment.command("batonbox-server", "serve", "--demo", "--port", str(port)),
            cwd=folder, env=environment.variables, stdout=out, stderr=out,
        )  # fmt: skip
    try:
        while not answers(url):
            assert process.poll() is None, log.read_text(encoding="utf-8")
            time.sleep(0.05)
        yield url
        process.terminate()
        assert process.wait(30) == 0, log.read_text(encoding="utf-8")
    finally:
        process.kill()
        process.wait()


def answers(url: str) -> bool:
    """Whether the server is ready."""
    try:
        return bool(read(f"{url}/readyz"))
    except OSError:
        return False


def read(url: str, token: str = "") -> str:
    """What is there."""
    request = urllib.request.Request(url)
    if token:
        request.add_header("authorization", f"Bearer {token}")
    with urllib.request.urlopen(request, timeout=10) as answer:
        return str(answer.read().decode())
