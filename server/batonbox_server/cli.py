"""The command line of the server: serve, setup, token, password, link, archive, and more.

What takes long to load is imported by the command that needs it: a server takes a second of CPU to
load, and what only asks a running one, as `token` does, a fifth of that.
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from batonbox_server import __version__, config, control
from batonbox_server.cli_base import log_to_stderr as _log_to_stderr
from batonbox_server.cli_base import run as _run
from batonbox_server.cli_base import say as _say
from batonbox_server.cli_base import say_aside as _say_aside
from batonbox_server.cli_base import settings_of as _settings
from batonbox_server.cli_care import COMMANDS
from batonbox_server.errors import FolderInUse
from batonbox_server.health import health_command
from batonbox_server.planning import plan_command
from batonbox_server.torture.command import torture_command

if TYPE_CHECKING:
    from batonbox_server.archive.adopting import Adopted

__all__ = ["main"]

_STARTING_S = 10.0


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """batonbox: a team shares one number, and nobody collides."""


@main.command("serve")
@click.option("--demo", is_flag=True, help="Seed a demo organisation once, and say what to try.")
@click.option("--host", help="Address to listen on.")
@click.option("--port", type=int, help="Port to listen on; 0 picks a free one.")
@click.option("--data-dir", help="Folder of the embedded engine.")
@click.option("--redis-url", help="An engine of your own: Redis >= 7.0 or Valkey >= 7.2.")
@click.option("--workers", type=click.IntRange(1), help="Processes that serve it together.")
@click.option("--for-tests", is_flag=True, hidden=True)
def serve_command(demo: bool, for_tests: bool, **overrides: Any) -> None:
    """Serve until SIGTERM or Ctrl-C. With several workers SIGHUP restarts them in turn."""
    settings = _settings(**overrides)
    _log_to_stderr(settings.log_level)
    if settings.workers > 1 and not for_tests:
        given = {name: value for name, value in overrides.items() if value is not None}
        from batonbox_server.workers import serve_workers

        _run(lambda: serve_workers(settings, given, with_demo=demo, say=_say))
    else:
        from batonbox_server.serving import serve

        _run(lambda: serve(settings, with_demo=demo, say=_say, for_tests=for_tests))


@main.command("worker", hidden=True)
def worker_command() -> None:
    """One of the processes of `serve --workers`, which starts it."""
    from batonbox_server.workers import started, work

    start = started()

    def prepare(settings: config.Settings) -> None:
        _log_to_stderr(settings.log_level, worker=start.number)

    sys.exit(_run(lambda: work(start, prepare=prepare)))


@main.command("setup")
@click.option("--organisation", required=True, help="What the organisation is called.")
@click.option("--admin", required=True, help="User id of its first admin, to sign in with.")
@click.option("--name", required=True, help="What people call the admin.")
@click.option("--stdin", is_flag=True, help="Read the admin's password from standard input.")
@click.option("--data-dir", help="Folder of the running server.")
@click.option("--redis-url", help="An engine of your own.")
def setup_command(organisation: str, admin: str, name: str, stdin: bool, **overrides: Any) -> None:
    """Name an empty server's organisation and make its first admin. Prints a random password."""
    settings = _settings(**overrides)
    _log_to_stderr("error")
    asked = {
        "op": "setup",
        "organisation": organisation,
        "user": admin,
        "name": name,
        "password": _typed() if stdin else "",
    }
    made = _run(lambda: _ask(settings, asked))
    if not stdin:
        click.echo(made["password"])


@main.command("token")
@click.argument("user")
@click.option("--data-dir", help="Folder of the running server.")
@click.option("--redis-url", help="An engine of your own.")
def token_command(user: str, **overrides: Any) -> None:
    """Make an API token for USER and print it. It is valid until revoked."""
    settings = _settings(**overrides)
    _log_to_stderr("error")
    made = _run(lambda: _ask(settings, {"op": "token", "user": user}))
    click.echo(made["token"])


@main.command("password")
@click.argument("user")
@click.option("--stdin", is_flag=True, help="Read the password from standard input.")
@click.option("--data-dir", help="Folder of the running server.")
@click.option("--redis-url", help="An engine of your own.")
def password_command(user: str, stdin: bool, **overrides: Any) -> None:
    """Set USER's password, a random one that is printed. USER's sessions end."""
    settings = _settings(**overrides)
    _log_to_stderr("error")
    asked = {"op": "password", "user": user, "password": _typed() if stdin else ""}
    made = _run(lambda: _ask(settings, asked))
    if not stdin:
        click.echo(made["password"])


@main.command("link")
@click.argument("user")
@click.option("--data-dir", help="Folder of the running server.")
def link_command(user: str, **overrides: Any) -> None:
    """Print a link that signs USER in once. For five minutes, while a demo server runs."""
    settings = _settings(**overrides)
    _log_to_stderr("error")
    told = _run(lambda: control.ask(Path(settings.data_dir), {"op": "link", "user": user}))
    if told is None:
        raise click.ClickException(
            f"No server runs on {settings.data_dir}; start `batonbox-server serve --demo`."
        )
    click.echo(told["link"])


@main.group("archive")
def archive_group() -> None:
    """Where old messages are."""


@archive_group.command("status")
@click.option("--json", "as_json", is_flag=True, help="As one line of JSON.")
@click.option("--data-dir", help="Folder of the running server.")
@click.option("--redis-url", help="An engine of your own.")
def archive_status_command(as_json: bool, **overrides: Any) -> None:
    """Say what is in the archive, and what waits; status 1 where nothing can be moved."""
    settings = _settings(**overrides)
    _log_to_stderr("error")
    told = _run(lambda: _ask(settings, {"op": "archive_status"}))
    if as_json:
        click.echo(json.dumps(told))
    else:
        from batonbox_server.node_archive import archive_text

        click.echo(archive_text(told))
    if told["trouble"]:
        sys.exit(1)


@main.command("reindex")
@click.option("--status", is_flag=True, help="Only say how far the index is.")
@click.option("--data-dir", help="Folder of the running server.")
@click.option("--redis-url", help="An engine of your own.")
def reindex_command(status: bool, **overrides: Any) -> None:
    """Make the search index anew from the logs and the archive. The server goes on serving."""
    from batonbox_server.node_search import reindex

    settings = _settings(**overrides)
    _log_to_stderr("error")
    _run(lambda: reindex(settings, rebuild=not status, say=_say))


@main.command("export")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--direct", is_flag=True, help="Direct rooms too, which are for their two.")
@click.option("--data-dir", help="Folder of the running server.")
@click.option("--redis-url", help="An engine of your own.")
def export_command(file: Path, direct: bool, **overrides: Any) -> None:
    """Write everything into FILE as NDJSON. A running server goes on serving."""
    from batonbox_server.node_export import export_file

    settings = _settings(**overrides)
    _log_to_stderr("error")
    _run(lambda: export_file(settings, file, direct=direct, say=_say_aside))


@archive_group.command("adopt")
@click.option("--from", "source", default="", help="URL of the one in use; else data_dir's file.")
@click.option("--give-up", is_flag=True, help="Copy nothing: what is in it is lost.")
@click.option("--data-dir", help="Folder of the server.")
@click.option("--redis-url", help="An engine of your own.")
def archive_adopt_command(source: str, give_up: bool, **overrides: Any) -> None:
    """Copy the archive in use into that of BATONBOX_ARCHIVE_URL; use it from then on.

    Stop every server first.
    """
    settings = _settings(**overrides)
    _log_to_stderr("error")
    adopted = _run(lambda: _adopt(settings, source, give_up=give_up))
    click.echo(f"archive {adopted.id}: {adopted.lines} messages, {adopted.rows} conversations")


main.add_command(health_command)
main.add_command(plan_command)
main.add_command(torture_command)
for command in COMMANDS:
    main.add_command(command)


@main.command("config")
def config_command() -> None:
    """Print the effective settings, secrets masked."""
    for name, value in config.masked(_settings()).items():
        click.echo(f"BATONBOX_{name.upper()}={value}")


@main.command("version")
def version_command() -> None:
    """Print the version."""
    click.echo(__version__)


async def _ask(settings: config.Settings, request: dict[str, Any]) -> dict[str, Any]:
    """Let the running server do it; with none running, start the engine and do it here."""
    folder = Path(settings.data_dir)
    deadline = asyncio.get_running_loop().time() + _STARTING_S
    while True:
        told = await control.ask(folder, request)
        if told is not None:
            return told
        from batonbox_server.node import Organisation
        from batonbox_server.serving import answer

        organisation = Organisation(settings)
        try:
            await organisation.open()
            return await answer(organisation, request)
        except FolderInUse:
            # A server is just starting, or it is going down.
            if asyncio.get_running_loop().time() > deadline:
                raise
            await asyncio.sleep(0.1)
        finally:
            await organisation.close()


async def _adopt(settings: config.Settings, source: str, *, give_up: bool) -> Adopted:
    if await control.ask(Path(settings.data_dir), {"op": "ping"}) is not None:
        raise config.ConfigError("A server runs; stop every server first.")
    from batonbox_server.node import Organisation
    from batonbox_server.node_archive import adopt_archive

    organisation = Organisation(settings)
    try:
        await organisation.open()
        return await adopt_archive(organisation, source=source, give_up=give_up)
    finally:
        await organisation.close()


def _typed() -> str:
    """A password: typed unseen at a terminal, else the first line."""
    if sys.stdin.isatty():
        return str(click.prompt("Password", hide_input=True, confirmation_prompt=True))
    typed = sys.stdin.readline().rstrip("\r\n")
    if not typed:
        raise click.ClickException("Standard input had no password; write it as the first line.")
    return typed


if __name__ == "__main__":
    main()
