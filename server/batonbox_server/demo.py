"""The demo organisation, seeded once into an empty server, how to sign in, and what to try."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from batonbox_server import __version__
from batonbox_server.config import Settings
from batonbox_server.domain.model import Destination, Role, RoomKind
from batonbox_server.node import Organisation
from batonbox_server.store.directory_port import Inbox, User

__all__ = ["Access", "greeting", "link_url", "open_access", "seed"]

_USERS: Final = (
    User("agent1", "Ana", Role.MEMBER),
    User("agent2", "Bo", Role.MEMBER),
    User("agent3", "Dee", Role.MEMBER),
    User("admin", "Alex Admin", Role.ADMIN),
)
_INBOXES: Final = (
    Inbox(
        "sales",
        "Sales",
        ("admin", "agent1", "agent2", "agent3"),
        ("+14165550100",),
        kind=Destination.DEPARTMENT,
        extension="100",
    ),
    Inbox(
        "support",
        "Support",
        ("admin", "agent2", "agent3"),
        ("+14165550101",),
        kind=Destination.RING_GROUP,
        extension="101",
    ),
)

# Not the page's first phone: whoever took that conversation there would keep it from the shell.
_CUSTOMER: Final = "+14165550143"


@dataclass(slots=True)
class Access:
    """How to sign in, user by user: one-click links, and passwords that were just made."""

    links: dict[str, str] = field(default_factory=dict)
    passwords: dict[str, str] = field(default_factory=dict)


async def seed(organisation: Organisation) -> bool:
    """Make what is missing, if nothing but the demo is here; False when it was all there."""
    directory, administration = organisation.directory, organisation.administration
    if directory.destinations or directory.users.keys() - {user.id for user in _USERS}:
        return False
    await administration.set_name("Demo")
    for user in _USERS:
        if user.id not in directory.users:
            await administration.create_user(user)
    for inbox in _INBOXES:
        await administration.create_inbox(inbox)
    await organisation.room_store.create_channel(
        actor="admin",
        cid="demo",
        name="general",
        kind=RoomKind.PUBLIC,
        members=[user.id for user in _USERS],
    )
    return True


async def open_access(organisation: Organisation, *, url: str) -> Access:
    """Passwords for demo users who have none yet, and links while `url` is this machine's own."""
    access = Access()
    for user in _USERS:
        if user.id not in organisation.directory.users:
            continue
        made = await organisation.sign_in.first_password(user.id)
        if made is not None:
            access.passwords[user.id] = made
        if url:
            access.links[user.id] = link_url(url, await organisation.sign_in.make_link(user.id))
    return access


def link_url(url: str, code: str) -> str:
    """The link; the code is a fragment, which browsers send nowhere."""
    return f"{url}/sign-in#code={code}"


def greeting(settings: Settings, access: Access, *, url: str, engine: str) -> str:
    """What `serve --demo` prints: every line can be pasted into another terminal."""
    server, client = _command("batonbox-server"), _command("batonbox")
    lines = [
        f"batonbox {__version__} serves the demo organisation on {url}",
        f"engine: {engine}; data: {Path(settings.data_dir).absolute()}; stop with Ctrl-C",
        "",
        *_sign_in(settings, access, server=server),
        "",
        "Inbox Sales: +14165550100, everybody. Support: +14165550101, admin, agent2, agent3.",
        "Channel # general: everybody.",
        "Try, in another terminal:",
        "",
    ]
    exports = []
    if url != "http://127.0.0.1:8080":
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
        f"  conv=$({client} send-inbound -q --from {_CUSTOMER} --to +14165550100 'Is it ready?')",
        f"  {client} claim $conv",
        f"  {client} reply $conv 'Yes, come by any time.'",
        f"  {client} done $conv",
        "",
        "  # what is open, over HTTP; badges (without --once: as they change)",
        '  curl -sS -w "\\n" -H "Authorization: Bearer $BATONBOX_TOKEN" \\',
        f'    "{url}/v1/conversations?view=open"',
        f"  {client} badges --once",
        "",
        "  # 200 agents race for 100 conversations: one winner each",
        f"  {client} race --agents 200 --conversations 100",
    ]
    return "\n".join(lines)


def _sign_in(settings: Settings, access: Access, *, server: str) -> list[str]:
    folder = "" if settings.data_dir == "data" else f" --data-dir {settings.data_dir}"
    names = {user.id: f"{user.name} ({user.id}):" for user in _USERS}
    lines = [
        f"Open this to sign in as {names[user]:<20} {url}" for user, url in access.links.items()
    ]
    if access.links:
        lines.append(f"Each works once, for 5 minutes; a new one: {server} link agent1{folder}")
    else:
        lines.append(f"One-click links are for your own machine; this listens on {settings.host}.")
    lines.append("")
    if access.passwords:
        lines.append("Users and passwords, printed only now:")
        lines += [f"  {user:<6}  {made}" for user, made in access.passwords.items()]
        lines.append(f"A new one: {server} password agent1{folder}")
    else:
        lines.append(
            "Passwords were printed at the first start; "
            f"a new one: {server} password agent1{folder}"
        )
    return lines


def _command(name: str) -> str:
    beside = Path(sys.argv[0]).with_name(name)
    if not beside.exists():
        return name
    short = os.path.relpath(beside)
    return short if len(short) < len(str(beside)) else str(beside)
