"""Whatever the pages name in passing is there: settings, requests, commands and their options."""

from __future__ import annotations

import argparse
import re
import shlex
from dataclasses import fields
from functools import cache
from typing import Final

import click
from markdown_it import MarkdownIt

from batonbox import cli
from batonbox_server.cli import main
from batonbox_server.config import FOREIGN, PREFIX, Settings
from batonbox_server.gen import ROOT
from tests.docs.blocks import PAGES
from tests.docs.kinds import requests_in
from tests.pages import page

SETTINGS: Final = FOREIGN | {PREFIX + f.name.upper() for f in fields(Settings)}
# What the page on troubles shows as a typing error.
MISSPELT: Final = frozenset({"BATONBOX_PROT"})
TARGETS: Final = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)


def test_settings_are_settings() -> None:
    unknown = [
        (name, setting)
        for name in PAGES
        for setting in {*re.findall(r"\bBATONBOX_[A-Z0-9_]+\*?", page(name))} - MISSPELT
        if not is_setting(setting)
    ]
    assert unknown == []


def is_setting(named: str) -> bool:
    """Also the beginning of several, `BATONBOX_MEDIA_*`."""
    if named.endswith("*"):
        return any(known.startswith(named[:-1]) for known in SETTINGS)
    return named in SETTINGS or named.removesuffix("_FILE") in SETTINGS


def test_requests_are_answered() -> None:
    assert [(name, asked) for name in PAGES for asked in requests_in(page(name))] == []


def test_commands_in_passing_are_commands() -> None:
    said = [(name, said) for name in PAGES for said in commands_of(page(name))]
    assert len(said) > 50
    assert [(name, words) for name, words in said if trouble_with(words)] == []


def test_a_command_that_there_is_not_is_noticed() -> None:
    text = "`batonbox-server serve --demon`, `batonbox tale`, `make coffee`, `batonbox-server go`"
    assert [said for said in commands_of(text) if trouble_with(said)] == commands_of(text)
    for right in ("batonbox-server serve --demo", "batonbox tail --inbox sales", "make run"):
        assert trouble_with(right) == ""


def commands_of(text: str) -> list[str]:
    """Spans of code that are commands of ours."""
    found = []
    for token in MarkdownIt("commonmark").enable("table").parse(text):
        for inner in token.children or []:
            said = inner.content.removeprefix(".venv/bin/")
            if inner.type == "code_inline" and re.match(r"(batonbox(-server)?|make) [a-z]", said):
                found.append(said)
    return found


def trouble_with(said: str) -> str:
    """What there is not of a command, "" for nothing."""
    said = re.sub(r"[|;>&].*| #.*", "", said)
    try:
        name, *words = shlex.split(said)
    except ValueError:
        return ""  # a piece of one
    if name == "make":
        return "" if words[0] in TARGETS or "=" in words[0] else words[0]
    if name == "batonbox-server":
        return _server(main, words)
    known = _sdk().get(words[0])
    if known is None:
        return words[0]
    return next((word for word in words if word.startswith("--") and word not in known), "")


def _server(command: click.Command, words: list[str]) -> str:
    while isinstance(command, click.Group) and words and re.fullmatch(r"[a-z-]+", words[0]):
        word, *words = words
        if word not in command.commands:
            return word
        command = command.commands[word]
    known = {option for parameter in command.params for option in parameter.opts} | {"--help"}
    return next((w for w in words if w.startswith("--") and w.partition("=")[0] not in known), "")


@cache
def _sdk() -> dict[str, str]:
    parser = cli.parser()
    (subs,) = (a for a in parser._actions if isinstance(a, argparse._SubParsersAction))
    return {name: sub.format_help() for name, sub in subs.choices.items()}
