"""Whatever the documents name is there: links, settings, requests, commands; and examples run."""

from __future__ import annotations

import asyncio
import json
import re
import sys
import textwrap
from dataclasses import fields
from pathlib import Path
from typing import Any, Final

import httpx2
import pytest

from batonbox import cli
from batonbox_server.asgi.app import ALL_ENDPOINTS
from batonbox_server.config import FOREIGN, PREFIX, Settings
from batonbox_server.gen import ROOT
from tests.chaos.processes import Server
from tests.integration.media_harness import PDF, PNG
from tests.integration.twilio_vendor import PUBLIC, SID, TOKEN, listening
from tests.pages import fences, page, shell
from tests.programs import program
from tests.served import SALES, served

PAGES: Final = sorted(
    str(path.relative_to(ROOT)) for path in (*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"))
)
_IN_A_FUNCTION: Final = "from pathlib import Path\nasync def example(client, conv, message):\n"
SETTINGS: Final = FOREIGN | {PREFIX + f.name.upper() for f in fields(Settings)}


@pytest.mark.parametrize("name", PAGES)
def test_links_lead_somewhere(name: str) -> None:
    for target in re.findall(r"\]\((?!https?:)([^)\s]+)\)", page(name)):
        path, _, anchor = target.partition("#")
        there = (ROOT / name).parent / path if path else ROOT / name
        assert there.exists(), target
        if anchor:
            titles = re.findall(r"^#+ (.*)$", there.read_text(encoding="utf-8"), re.MULTILINE)
            assert anchor in {re.sub(r"[^\w\- ]", "", t).lower().replace(" ", "-") for t in titles}


@pytest.mark.parametrize("name", PAGES)
def test_settings_are_settings(name: str) -> None:
    for named in re.findall(r"\bBATONBOX_[A-Z0-9_]+\*?", page(name)):
        if named.endswith("*"):
            assert any(known.startswith(named[:-1]) for known in SETTINGS), named
        else:
            assert named in SETTINGS or named.removesuffix("_FILE") in SETTINGS, named


@pytest.mark.parametrize("name", PAGES)
def test_requests_are_answered(name: str) -> None:
    known = [(e.method, re.sub(r"\{\w+\}", "[^/]+", e.path)) for e in ALL_ENDPOINTS]
    for asked in re.findall(r"\b(GET|POST|PUT|PATCH|DELETE) +(/v1/[\w/{}+-]+)", page(name)):
        assert any(asked[0] == m and re.fullmatch(path, asked[1]) for m, path in known), asked


@pytest.mark.parametrize("name", PAGES)
def test_commands_of_the_sdk_are_commands(name: str) -> None:
    known = cli.parser().format_help()
    for command in re.findall(r"(?:`|bin/)batonbox ([a-z-]+)", page(name)):
        assert re.search(rf"^ +{command}( |$)", known, re.MULTILINE), command


async def test_the_account_of_the_carriers_page_is_made_and_checked(
    engine_url: str, prefix: str, tmp_path: Path
) -> None:
    program("curl", package="curl")
    helpers = [text for _, text in fences(page("docs/administration.md"), "sh") if "api()" in text]
    ((_, made),) = fences(page("docs/carriers.md"), "sh")
    made = made.replace("AC…", SID).replace("the auth token", TOKEN)
    async with (
        listening() as vendor,
        served(engine_url, prefix, public_url=PUBLIC, twilio_url=vendor.url) as site,
    ):
        known = {"URL": site.url, "KEY": await site.token("admin")}
        with shell(helpers[0] + made, tmp_path, **known) as process:
            printed, errors = await asyncio.to_thread(process.communicate, timeout=30)
        assert process.returncode == 0, errors
        account, checked, number = map(json.loads, printed.splitlines())
    assert (account["id"], account["secret"], account["problem"]) == ("main-line", "set", "")
    assert checked == {"ok": True, "says": ""}
    assert (number["number"], number["carrier"], number["inbox"]) == (SALES, "main-line", "sales")


async def test_the_bot_of_the_readme_answers(engine_url: str, prefix: str, tmp_path: Path) -> None:
    ((_, code),) = fences(page("README.md"), "python")
    (tmp_path / "bot.py").write_text(code, encoding="utf-8")
    async with served(engine_url, prefix) as site:
        await site.texts("hello")
        known = {"BATONBOX_URL": site.url, "BATONBOX_TOKEN": await site.token("agent1")}
        with shell(f"{sys.executable} bot.py", tmp_path, **known) as process:
            _, errors = await asyncio.to_thread(process.communicate, timeout=30)
        assert process.returncode == 0, errors
        assert await site.phone_with(1) == ["We got your message and will be with you shortly."]


@pytest.mark.timeout(120)
async def test_a_server_of_your_own_begins_as_the_readme_says(tmp_path: Path) -> None:
    program("curl", package="curl")
    section = page("README.md").partition("## A server of your own")[2].partition("\n## ")[0]
    setup, people = (text for _, text in fences(section, "sh"))
    helper, invite, rest = re.split("(?m)^(?=api localhost.*invites)|^#.*\n", people)
    server = Server(tmp_path / "data", demo=False)
    await server.start()

    async def run(script: str) -> str:
        script = script.replace("localhost:8080", server.url)
        known = {"BATONBOX_DATA_DIR": str(server.folder), "ADMIN_PASSWORD": "correct horse"}
        with shell(script, tmp_path, **known) as process:
            printed, errors = await asyncio.to_thread(process.communicate, timeout=60)
        assert process.returncode == 0, errors
        return printed

    try:
        await run(setup)
        code = json.loads(await run(helper + invite))["code"]
        async with httpx2.AsyncClient(base_url=server.url, timeout=20) as http:
            body = {"code": code, "password": "another horse"}
            headers = {"origin": server.url}
            answer = await http.post("/v1/session/invite", json=body, headers=headers)
        assert answer.status_code == 200, answer.text
        assert '"not_found"' not in await run(helper + rest)
        users = json.loads(await run(f"{helper}api localhost:8080/v1/admin/users"))
        assert "lee-wong" in [user["id"] for user in users["items"]]
    finally:
        await server.stop()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The one we are in, with the files that examples name."""
    monkeypatch.chdir(tmp_path)
    for file, data in (("plan.png", PNG), ("terms.pdf", PDF)):
        (tmp_path / file).write_bytes(data)
    return tmp_path


@pytest.mark.parametrize("name", ["docs/media.md", "docs/availability.md"])
async def test_examples_of_the_sdk_run(
    engine_url: str, prefix: str, folder: Path, name: str
) -> None:
    """Each in a conversation of one's own."""
    examples = [code.replace("    ...", "    break") for _, code in fences(page(name), "python")]
    assert examples
    async with served(engine_url, prefix) as site, await site.sdk("agent1") as client:
        conv = await client.conversation(await site.texts("hello"))
        await conv.claim()
        await conv.reply("a picture", media=[folder / "plan.png"])
        message = (await conv.history())[-1]
        for code in examples:
            scope: dict[str, Any] = {}
            exec(_IN_A_FUNCTION + textwrap.indent(code, "    "), scope)
            async with asyncio.timeout(20):
                await scope["example"](client, conv, message)
