"""Somebody with a phone: texts our number, and reads what comes back."""

from __future__ import annotations

import asyncio
import re
import time
from typing import Protocol
from urllib.parse import quote

__all__ = ["Customer", "Site"]

LOOK_S = 0.02


class Site(Protocol):
    """What a customer needs of a server."""

    def api(self, method: str, path: str, body: object = None) -> object:
        """As an admin."""
        ...

    def number(self) -> str:
        """Of the inbox that is meant where none is named."""
        ...


class Customer:
    """The simulated phone with this number (E.164)."""

    def __init__(self, site: Site, number: str) -> None:
        self._site = site
        self._heard = 0  # texts that `hears` and `wait_for` have gone past
        self.number = number

    def __repr__(self) -> str:
        return f"<Customer {self.number}>"

    def says(self, text: str, *, to: str | None = None) -> str:
        """Text our number `to` (default: of the first inbox); returns the conversation's id."""
        body = {"from": self.number, "to": to or self._site.number(), "text": text}
        answer = self._site.api("POST", "/v1/loopback/inbound", body)
        assert isinstance(answer, dict)
        return str(answer["conv"])

    def phone(self) -> list[str]:
        """Every text that came, oldest first."""
        path = f"/v1/loopback/outbound?to={quote(self.number, safe='')}"
        found = self._site.api("GET", path)
        assert isinstance(found, dict)
        return [str(item["text"]) for item in found["items"]]

    async def hears(
        self, what: str | re.Pattern[str] | None = None, *, timeout_s: float = 10.0
    ) -> str:
        """The next text that comes, or the next that is `what` (a pattern: has it).

        What came before is gone past: calls one after the other follow a dialogue. Raises
        AssertionError with all that came when it is not there in time.
        """
        give_up_s = time.monotonic() + timeout_s
        while (found := self._next(await asyncio.to_thread(self.phone), what)) is None:
            self._check(give_up_s, what, timeout_s)
            await asyncio.sleep(LOOK_S)
        return found

    def wait_for(
        self, what: str | re.Pattern[str] | None = None, *, timeout_s: float = 10.0
    ) -> str:
        """As `hears`, blocking."""
        give_up_s = time.monotonic() + timeout_s
        while (found := self._next(self.phone(), what)) is None:
            self._check(give_up_s, what, timeout_s)
            time.sleep(LOOK_S)
        return found

    def _next(self, texts: list[str], what: str | re.Pattern[str] | None) -> str | None:
        for at, text in enumerate(texts[self._heard :], self._heard):
            fits = what.search(text) if isinstance(what, re.Pattern) else what in {None, text}
            if fits:
                self._heard = at + 1
                return text
        return None

    def _check(
        self, give_up_s: float, what: str | re.Pattern[str] | None, timeout_s: float
    ) -> None:
        if time.monotonic() > give_up_s:
            sought = "anything" if what is None else repr(getattr(what, "pattern", what))
            raise AssertionError(
                f"{self.number} did not hear {sought} within {timeout_s:g} s; all that came, of"
                f" which {self._heard} had been heard: {self.phone()}"
            )
