"""A connection token is verified once; when it ends, and what was made of it, counts every time."""

from __future__ import annotations

import time
from typing import Any

import jwt
import pytest

from batonbox_server.errors import Refused
from batonbox_server.service.identity import Lifetime, TokenIdentity
from batonbox_server.session.ports import Principal

SECRET = b"s" * 32


class Token:
    """The store's half: one token that stands until it does not."""

    alive = True

    async def token_alive(self, _: str) -> bool:
        return self.alive


class User:
    """A member."""

    id, role, active = "ann", "member", True


class People:
    """The directory's half."""

    def __init__(self) -> None:
        self.users = {"ann": User()}

        self.watched: set[str] = set()

    def watch_token(self, token: str, _user: str) -> bool:
        self.watched.add(token)
        return True

    def watches(self, token: str) -> bool:
        return token in self.watched


@pytest.fixture
def token() -> Token:
    """What the connection token was made from."""
    return Token()


@pytest.fixture
def identity(token: Token) -> TokenIdentity:
    """Of a node."""
    parts: tuple[Any, Any, Any] = (token, None, People())
    lifetime = Lifetime(60, 60)
    return TokenIdentity(*parts, secret=SECRET, connection_token_s=600, lifetime=lifetime)


ANN = Principal("ann", "member", token="tok_1", scopes=frozenset({"read", "act"}))


async def refused(identity: TokenIdentity, text: str) -> str:
    with pytest.raises(Refused) as caught:
        await identity.authenticate(text)
    return caught.value.slug


async def test_it_ends_although_it_was_verified(
    identity: TokenIdentity, monkeypatch: pytest.MonkeyPatch
) -> None:
    text, end_ms = identity.connection_token(ANN)
    for _ in range(2):
        assert (await identity.authenticate(text)).exp_ms == end_ms
    now_s = time.time()
    monkeypatch.setattr(time, "time", lambda: now_s + 601)
    assert await refused(identity, text) == "token_expired"


async def test_its_revocation_and_the_users_role_count_at_once(
    identity: TokenIdentity, token: Token
) -> None:
    text, _ = identity.connection_token(ANN)
    assert (await identity.authenticate(text)).role == "member"
    identity._directory.users["ann"].role = "admin"  # type: ignore[misc,assignment]
    assert (await identity.authenticate(text)).role == "admin"
    token.alive = False
    assert await refused(identity, text) == "unauthorized"


async def test_a_forged_one_is_refused_beside_a_verified_one(identity: TokenIdentity) -> None:
    text, _ = identity.connection_token(ANN)
    await identity.authenticate(text)
    claims = identity._claims(text)
    forged = jwt.encode({**claims, "sub": "boss"}, b"t" * 32, algorithm="HS256")
    head, _, signature = text.rpartition(".")
    for wrong in (forged, f"{head}.{signature[::-1]}", f"{forged.rpartition('.')[0]}.{signature}"):
        assert await refused(identity, wrong) == "unauthorized"


async def test_it_is_recognised_once_it_was_looked_up_and_for_as_long_as_it_is_watched(
    identity: TokenIdentity, monkeypatch: pytest.MonkeyPatch
) -> None:
    people: Any = identity._directory
    text, end_ms = identity.connection_token(ANN)
    assert identity.recognise(text) is None
    known = await identity.authenticate(text)
    assert identity.recognise(text) is known
    assert identity.recognise(text + "x") is None
    people.watched.clear()  # revoked, or forgotten for others
    assert identity.recognise(text) is None
    people.watched.add("tok_1")
    people.users["ann"].active = False
    assert identity.recognise(text) is None
    people.users["ann"].active = True
    people.users["ann"].role = "admin"
    assert identity.recognise(text) is None
    people.users["ann"].role = "member"
    assert identity.recognise(text) is known
    del people.users["ann"]
    assert identity.recognise(text) is None
    people.users["ann"] = User()
    monkeypatch.setattr(time, "time", lambda: end_ms / 1000)
    assert identity.recognise(text) is None
