"""The demo organisation, seeded once into an empty server, and what to try with it."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Final

from batonbox_server import __version__
from batonbox_server.config import Settings
from batonbox_server.domain.model import Role
from batonbox_server.node import Organisation
from batonbox_server.store.directory_port import Inbox, User

__all__ = ["greeting", "seed"]

_USERS: Final = (
    User("admin", "Alex Admin", Role.ADMIN),
    User("agent1", "Ana", Role.MEMBER),
    User("agent2", "Bo", Role.MEMBER),
    User("agent3", "Dee", Role.MEMBER),
)
_INBOXES: Final = (
    Inbox("sales", "Sales", ("admin", "agent1", "agent2", "agent3"), ("+14165550100",)),
    Inbox("support", "Support", ("admin", "agent2", "agent3"), ("+14165550101",)),
)


async def seed(organisation: Organisation) -> bool:
    """Make what is missing, if nothing but the demo is here; False when it was all there."""
    directory, administration = organisation.directory, organisation.administration
    if directory.inboxes or directory.users.keys() - {user.id for user in _USERS}:
        return False
    for user in _USERS:
        if user.id not in directory.users:
            await administration.create_user(user)
    for inbox in _INBOXES:
        await administration.create_inbox(inbox)
    return True


def greeting(settings: Settings, *, port: int, engine: str) -> str:
    """What `serve --demo` prints: every line can be pasted into another terminal."""
    url = f"http://{settings.host}:{port}"
    server, client = _command("batonbox-server"), _command("batonbox")
    lines = [
        f"batonbox {__version__} serves the demo organisation on {url}",
        f"engine: {engine}; data: {Path(settings.data_dir).absolute()}; stop with Ctrl-C",
        "",
        "Inbox Sales: +14165550100, everybody. Support: +14165550101, admin, agent2, agent3.",
        "Try, in another terminal:",
        "",
    ]
    exports = []
    if port != 8080 or settings.host != "127.0.0.1":
        exports.append(f"export BATONBOX_URL={url}")
    if settings.data_dir != "data":
        exports.append(f"export BATONBOX_DATA_DIR={settings.data_dir}")
    lines += [f"  {line}" for line in exports]
    lines += [
        "  # watch Sales and Support as agent2",
        f"  BATONBOX_TOKEN=$({server} token agent2) {client} tail",
        "",
        "  # a customer texts; take the conversation, answer, finish",
        f"  export BATONBOX_TOKEN=$({server} token admin)",
        f"  {client} send-inbound --from +14165550142 --to +14165550100 'Hi, is my order ready?'",
        f'  curl -sH "Authorization: Bearer $BATONBOX_TOKEN" "{url}/v1/conversations?view=open"',
        f"  {client} badges",
        "",
        "  # 200 agents race for 100 conversations: one winner each",
        f"  {client} race --agents 200 --conversations 100",
    ]
    return "\n".join(lines)


def _command(name: str) -> str:
    beside = Path(sys.argv[0]).with_name(name)
    if not beside.exists():
        return name
    short = os.path.relpath(beside)
    return short if len(short) < len(str(beside)) else str(beside)
