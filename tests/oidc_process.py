"""A certified OpenID provider in a process of its own, and people who sign in at its pages."""

from __future__ import annotations

import asyncio
import html
import json
import re
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final
from urllib.parse import urljoin

import httpx2

from tests.node_packages import node_with

__all__ = ["CLIENT", "SECRET", "OpenIdProvider", "openid_provider", "signed_in_at"]

_HERE: Final = Path(__file__).parent / "oidc_provider"
CLIENT: Final = "batonbox tests"
SECRET: Final = "a secret: with + and % in it, for tests"
ACCOUNTS: Final = {
    "sub-1": {"preferred_username": "agent1", "name": "Ana of the provider"},
    "sub-2": {"preferred_username": "agent1", "name": "Another Ana"},
    "sub-new": {"preferred_username": "Newcomer.Nora", "name": "Nora Newcomer"},
    "sub-bare": {},
    "sub-robot": {"preferred_username": "robot"},
}


class OpenIdProvider:
    """The process; `issuer` is where it listens."""

    def __init__(self, process: asyncio.subprocess.Process, issuer: str) -> None:
        self._process = process
        self.issuer = issuer

    async def stop(self) -> None:
        """It is gone; nothing listens there any more."""
        if self._process.returncode is None:
            self._process.kill()
        await asyncio.wait_for(self._process.communicate(), 10)


@asynccontextmanager
async def openid_provider(
    redirect_uri: str, *, secret: str = SECRET
) -> AsyncIterator[OpenIdProvider]:
    """A provider with one client, and with `ACCOUNTS` by login."""
    process = await asyncio.create_subprocess_exec(
        str(node_with(_HERE)),
        str(_HERE / "provider.mjs"),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    provider = OpenIdProvider(process, "")
    try:
        assert process.stdin is not None and process.stdout is not None
        given = {"client_id": CLIENT, "client_secret": secret, "redirect_uri": redirect_uri}
        process.stdin.write(json.dumps({**given, "accounts": ACCOUNTS}).encode() + b"\n")
        async with asyncio.timeout(30):
            while not provider.issuer:
                line = await process.stdout.readline()
                assert line, "the provider has ended"
                if line.startswith(b"ISSUER "):
                    provider.issuer = line.decode().split()[1]
        yield provider
    finally:
        await provider.stop()


async def signed_in_at(address: str, login: str) -> str:
    """Sign in at the provider's pages ("": decline); returns where they send the browser to."""
    async with httpx2.AsyncClient(timeout=10) as http:
        answer = await http.get(address)
        for _ in range(12):
            if answer.is_redirect:
                url = urljoin(str(answer.url), answer.headers["location"])
                if "/v1/session/oidc/callback" in url:
                    return url
                answer = await http.get(url)
                continue
            assert answer.status_code == 200, answer.text[:2000]
            action, prompt = _form(answer.text)
            if login:
                answer = await http.post(
                    action, data={"prompt": prompt, "login": login, "password": "any"}
                )
            else:
                answer = await http.get(f"{action}/abort")
    raise AssertionError("the provider never sends the browser back")


def _form(page: str) -> tuple[str, str]:
    action = re.search(r'<form[^>]* action="([^"]+)"', page)
    prompt = re.search(r'name="prompt" value="(\w+)"', page)
    assert action and prompt, page
    return html.unescape(action[1]), prompt[1]
