"""The organisation of the benchmarks, whose ids and tokens follow from a number of four digits.

`python -m tests.bench.fixture DATA_DIR INBOXES` writes it through the server's own code into the
engine of an empty data folder: inbox `i0007` with the conversation `i0007.c`, its member `u0007`
with the token `bb_u0007`; and the admin `writer` with the token `bb_writer`, who joins nothing.
So a load client can spell every frame beforehand, with a number in it.
"""

from __future__ import annotations

import asyncio
import sys
import time

import msgpack  # type: ignore[import-untyped]

from batonbox_server.config import load
from batonbox_server.domain.model import Role
from batonbox_server.node_organisation import Organisation
from batonbox_server.service.identity import sha256_of
from batonbox_server.store.directory_port import Inbox, Token, User
from batonbox_server.store.scripts import Scripts

__all__ = ["WRITER", "conv_of", "inbox_of", "number_of", "secret_of", "seed", "user_of"]

WRITER = "writer"
_CUSTOMER = "+19055550142"
_BODY = msgpack.packb({"text": "hello"})


def inbox_of(number: int | str) -> str:
    """The inbox of this number; what is no number stands for itself, like `%CHN`."""
    return f"i{_digits(number)}"


def conv_of(number: int | str) -> str:
    """Its only conversation."""
    return f"{inbox_of(number)}.c"


def user_of(number: int | str) -> str:
    """Its only member."""
    return f"u{_digits(number)}"


def number_of(number: int | str) -> str:
    """The phone number that delivers there."""
    return f"+1416555{_digits(number)}"


def secret_of(user: str) -> str:
    """The secret of the user's token."""
    return f"bb_{user}"


async def seed(organisation: Organisation, inboxes: int) -> None:
    """Write it into an open and empty organisation."""
    people = [User(WRITER, "Writer", Role.ADMIN)]
    people += [User(user_of(n), f"User {n}", Role.MEMBER) for n in range(inboxes)]
    for user in people:
        await organisation.administration.create_user(user)
        await _token(organisation, user.id)
    scripts = Scripts(organisation.client)
    for n in range(inboxes):
        inbox = Inbox(inbox_of(n), f"Inbox {n}", (user_of(n),), (number_of(n),))
        await organisation.administration.create_inbox(inbox)
        await _conversation(organisation, scripts, n)


async def _token(organisation: Organisation, user: str) -> None:
    token = Token(f"tok_{user}", user, int(time.time() * 1000))
    await organisation.organisation.add_token(token, sha256=sha256_of(secret_of(user)))


async def _conversation(organisation: Organisation, scripts: Scripts, number: int) -> None:
    """As a customer's message begins one, but for the id, which the store would draw."""
    reply = await scripts.receive(
        organisation.keys.inbox(inbox_of(number)),
        candidate=conv_of(number),
        our=number_of(number),
        customer=_CUSTOMER,
        provider_id=conv_of(number),
        body=_BODY,
        preview="hello",
        turn=0,
        keyword=b"",
    )
    assert reply[0] == b"ok", reply


def _digits(number: int | str) -> str:
    return f"{number:04d}" if isinstance(number, int) else number


async def _main(data_dir: str, inboxes: int) -> None:
    organisation = Organisation(load(data_dir=data_dir))
    try:
        await organisation.open()
        await seed(organisation, inboxes)
    finally:
        await organisation.close()


if __name__ == "__main__":
    asyncio.run(_main(sys.argv[1], int(sys.argv[2])))
