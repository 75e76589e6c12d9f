"""Browsers that sign in at an identity provider, without a page."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

import httpx2

from tests.oidc_process import CLIENT, SECRET, signed_in_at
from tests.served import Served, served

__all__ = ["Visitor", "asked_of", "error_of", "trusting"]


class Visitor:
    """One browser: a cookie jar that keeps to paths, and redirects that are looked at."""

    def __init__(self, site: Served) -> None:
        self.http = httpx2.AsyncClient(base_url=site.url, timeout=20)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.http.aclose()

    async def begin(self, **query: str) -> str:
        """Follow "Continue with ...": where it leads."""
        answer = await self.http.get("/v1/session/oidc", params=query)
        assert answer.status_code in {302, 303}, answer.text
        return str(answer.headers["location"])

    async def back(self, address: str) -> httpx2.Response:
        """Be sent back there."""
        answer = await self.http.get(address)
        assert (answer.status_code, answer.text) == (303, ""), answer.text
        return answer

    async def sign_in(self, login: str, **query: str) -> httpx2.Response:
        """The whole way."""
        return await self.back(await signed_in_at(await self.begin(**query), login))

    async def who(self) -> str:
        """Who is signed in here, "" for nobody."""
        found = (await self.http.get("/v1/session")).json()
        return str(found["user"]["id"]) if found["signed_in"] else ""


@asynccontextmanager
async def trusting(
    issuer: str, engine_url: str, prefix: str, *, port: int, **more: Any
) -> AsyncIterator[Served]:
    """A node that trusts this provider."""
    given: dict[str, Any] = {
        "public_url": f"http://127.0.0.1:{port}",
        "oidc_issuer": issuer,
        "oidc_client_id": CLIENT,
        "oidc_client_secret": SECRET,
        "oidc_name": "Example Org",
        "sign_in_address_burst": 1000,
    }
    async with served(engine_url, prefix, port=port, **{**given, **more}) as site:
        yield site


def asked_of(address: str) -> dict[str, str]:
    """The query of an address."""
    return {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}


def error_of(answer: httpx2.Response) -> str:
    """What the sign-in page is told, "" when the browser is sent elsewhere."""
    parts = urlsplit(answer.headers["location"])
    return parts.fragment.removeprefix("error=") if parts.path == "/sign-in" else ""
