"""docs/reference/cli.md: both command lines, from what they parse."""

from __future__ import annotations

import argparse
import inspect
from collections.abc import Iterator
from typing import Any, Final

import click

from .tables import table

__all__ = ["commands_page"]

_HEAD: Final = """\
# Commands

`batonbox-server` runs and looks after a server, on its machine; `batonbox` comes with the SDK and
talks to a server from anywhere, by an API token. Each says this, too, with `--help`.

"""
_SERVER: Final = """\
## batonbox-server

Settings come from the environment ([settings](settings.md)). A command that needs the organisation
asks the running server of the data folder, and starts the engine itself where none runs. It ends
with 0, or with 1 and one line that says what to do; other numbers stand with their command.

"""
_SDK: Final = """\
## batonbox

It ends with 0; 1: refused; 2: wrong usage; 3: no server; 4: no valid token; 130: Ctrl-C. All of
them take

"""


def commands_page() -> str:
    """The page."""
    return _HEAD + _SERVER + "".join(_server_commands()) + _sdk_commands()


def _server_commands() -> Iterator[str]:
    from batonbox_server.cli import main

    for words, command in sorted(_leaves(["batonbox-server"], main)):
        usage = " ".join([*words, *_arguments(command)])
        rows = [
            (_option(p), (p.help or "") + _default(p.default))
            for p in command.params
            if isinstance(p, click.Option) and not p.hidden
        ]
        yield _command(usage, inspect.cleandoc(command.help or ""), rows)


def _leaves(words: list[str], command: click.Command) -> Iterator[tuple[list[str], click.Command]]:
    if command.hidden:
        return
    if not isinstance(command, click.Group):
        yield words, command
        return
    for name, inner in command.commands.items():
        yield from _leaves([*words, name], inner)


def _arguments(command: click.Command) -> Iterator[str]:
    for parameter in command.params:
        if isinstance(parameter, click.Argument):
            name = (parameter.name or "").upper()
            yield name if parameter.required else f"[{name}]"


def _option(option: click.Option) -> str:
    takes = "" if option.is_flag else f" {option.type.name.upper().replace(' RANGE', '')}"
    return f"`{', '.join(option.opts)}{takes}`"


def _default(value: Any) -> str:
    """What is said of a default that is worth it."""
    plain = isinstance(value, int | float | str) and not isinstance(value, bool)
    return f" Default: {value}." if plain and value != "" else ""


def _sdk_commands() -> str:
    from batonbox import cli

    commands = next(
        a for a in cli.parser()._actions if isinstance(a, argparse._SubParsersAction)
    ).choices
    seen = [{_spelled(a): a.help or "" for a in _options(sub)} for sub in commands.values()]
    common = {
        option: says
        for option, says in seen[0].items()
        if all(other.get(option) == says for other in seen)
    }
    parts = [_SDK, table(("option", "meaning"), common.items()), "\n\n"]
    for name, sub in commands.items():
        arguments = [
            (a.dest.upper() if a.metavar is None else str(a.metavar))
            for a in sub._actions
            if not a.option_strings
        ]
        rows = [(_spelled(a), a.help or "") for a in _options(sub)]
        parts.append(
            _command(
                " ".join([f"batonbox {name}", *arguments]),
                sub.description or "",
                [row for row in rows if row[0] not in common],
            )
        )
    return "".join(parts)


def _options(parser: argparse.ArgumentParser) -> list[argparse.Action]:
    return [a for a in parser._actions if a.option_strings and a.dest != "help"]


def _spelled(action: argparse.Action) -> str:
    takes = "" if action.nargs == 0 else f" {action.metavar or action.dest.upper()}"
    return f"`{', '.join(action.option_strings)}{takes}`"


def _command(usage: str, says: str, rows: list[tuple[str, str]]) -> str:
    options = f"{table(('option', 'meaning'), rows)}\n\n" if rows else ""
    return f"### `{usage}`\n\n{says}\n\n{options}"
