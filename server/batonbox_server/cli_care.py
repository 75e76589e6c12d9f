"""Commands for who looks after a server's data: verify, backup, restore, migrate."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import click

from batonbox_server.cli_base import failing_with, log_to_stderr, run, say_aside, settings_of
from batonbox_server.verify.findings import text_of

__all__ = ["COMMANDS"]


@click.command("verify")
@click.option("--json", "as_json", is_flag=True, help="As one line of JSON.")
@click.option("--data-dir", help="Folder of the server, running or not.")
@click.option("--redis-url", "--url", help="An engine of your own.")
def verify_command(as_json: bool, **overrides: Any) -> None:
    """Recount everything from rows, logs and archive. Says what is not as it should be.

    A running server goes on serving. Status 0: nothing; 1: findings; 2: it could not be done.
    """
    with failing_with(2):
        settings = settings_of(**overrides)
        log_to_stderr("error")
        from batonbox_server.node_verify import verify

        told = run(lambda: verify(settings, _unheard if as_json else say_aside))
    click.echo(json.dumps(told) if as_json else text_of(told))
    sys.exit(0 if told["ok"] else 1)


@click.command("backup")
@click.argument("target", type=click.Path(path_type=Path))
@click.option("--without-key", is_flag=True, help="Leave out the key of carriers' secrets.")
@click.option("--data-dir", help="Folder of the server, running or not.")
def backup_command(target: Path, without_key: bool, **overrides: Any) -> None:
    """Copy everything as of now into the file TARGET. In a folder it makes a new one.

    A running server goes on serving. Keep the file safe: it has everything, the key of carriers'
    secrets too.
    """
    from batonbox_server.node_backup import back_up

    settings = settings_of(**overrides)
    log_to_stderr("error")
    made = run(lambda: back_up(settings, target, with_key=not without_key, say=say_aside))
    click.echo(str(made))


@click.command("restore")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--data-dir", required=True, help="A folder that is new, or empty.")
def restore_command(file: Path, data_dir: str) -> None:
    """Lay the backup FILE into a new folder and verify it. Serve that folder afterwards.

    Status 1: it did not verify; 2: it could not be done.
    """
    with failing_with(2):
        settings = settings_of()
        log_to_stderr("error")
        from batonbox_server.node_backup import restore

        told = run(lambda: restore(settings, file, Path(data_dir), say=say_aside))
    click.echo(text_of(told))
    sys.exit(0 if told["ok"] else 1)


@click.command("migrate")
@click.option("--status", is_flag=True, help="Only say what there is to do.")
@click.option("--json", "as_json", is_flag=True, help="As one line of JSON.")
@click.option("--data-dir", help="Folder of the server, running or not.")
@click.option("--redis-url", help="An engine of your own.")
def migrate_command(status: bool, as_json: bool, **overrides: Any) -> None:
    """Bring the data of an older version to the layout of this one. Servers do so by themselves.

    Status 1: there is something left to do.
    """
    from batonbox_server.node_layout import migrate

    settings = settings_of(**overrides)
    log_to_stderr("error")
    told = run(lambda: migrate(settings, only_tell=status, say=say_aside))
    says = f"layout {told['layout']} of {told['known']}, {told['behind']} logs to migrate"
    click.echo(json.dumps(told) if as_json else says)
    sys.exit(0 if told["layout"] == told["known"] else 1)


COMMANDS = (verify_command, backup_command, restore_command, migrate_command)


def _unheard(_: str) -> None:
    """Nobody reads along."""
