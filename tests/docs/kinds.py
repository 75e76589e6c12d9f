"""What a block may be, and what can be said of it without running it."""

from __future__ import annotations

import ast
import configparser
import json
import re
import subprocess
import tempfile
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import jsonschema
import yaml

from batonbox_server import config
from batonbox_server.asgi.app import ALL_ENDPOINTS
from batonbox_server.engine import locate
from batonbox_server.gen.openapi import openapi
from tests.ports import free_port
from web_client.build_hook import node_binary

__all__ = ["CHECKS", "REASONS", "RUN", "SHOWN", "Wrong", "requests_in"]

# Run against a server, in the order of the page.
RUN: Final = frozenset({"sh", "python"})
# What programs print: compared with what they do print where it follows such a block.
SHOWN: Final = frozenset({"json", "text"})
# Why a block may be left out, which has to be said in just these words.
REASONS: Final = frozenset(
    {
        "needs root",
        "needs a container runtime",
        "needs a cluster",
        "needs an account elsewhere",
        "takes minutes",
        "installs packages",
        "begins the tests themselves",
    }
)
_ROUTES: Final = [(e.method, re.sub(r"\{\w+\}", "[^/]+", e.path)) for e in ALL_ENDPOINTS]
_REQUEST: Final = re.compile(r"\b(GET|POST|PUT|PATCH|DELETE) +(/v1/[\w/{}+.-]+)")


class Wrong(Exception):
    """A block is not what its kind says."""


def requests_in(text: str) -> list[tuple[str, str]]:
    """The HTTP requests of ours that a text names which no endpoint answers."""
    return [
        (method, path)
        for method, path in _REQUEST.findall(text)
        if not any(method == m and re.fullmatch(route, path) for m, route in _ROUTES)
    ]


def _sh(text: str) -> None:
    done = subprocess.run(
        ["bash", "-n"], input=text, capture_output=True, text=True, timeout=20, check=False
    )
    if done.returncode != 0:
        raise Wrong(done.stderr)


def _python(text: str) -> None:
    try:
        compile(text, "block", "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    except SyntaxError as error:
        raise Wrong(str(error)) from error


def _javascript(text: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "block.mjs")
        file.write_text(text, encoding="utf-8")
        done = subprocess.run(
            [node_binary(), "--check", file],
            capture_output=True,
            text=True,
            timeout=20,
            check=False,
        )
    if done.returncode != 0:
        raise Wrong(done.stderr)


def _json(text: str) -> None:
    try:
        json.loads(text)
    except ValueError as error:
        raise Wrong(str(error)) from error


def _yaml(text: str) -> None:
    try:
        list(yaml.safe_load_all(text))
    except yaml.YAMLError as error:
        raise Wrong(str(error)) from error


def _toml(text: str) -> None:
    try:
        tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise Wrong(str(error)) from error


def _ini(text: str) -> None:
    try:
        configparser.ConfigParser(strict=False, interpolation=None).read_string(text)
    except configparser.Error as error:
        raise Wrong(str(error)) from error


def _http(text: str) -> None:
    """Requests that an endpoint answers, each with a body that it takes, where one is shown."""
    if unknown := requests_in(text):
        raise Wrong(f"no endpoint answers {unknown}")
    for line in text.splitlines():
        if asked := re.match(r"(\w+) +(/v1/\S+) +(\{.*\})$", line):
            _taken(asked[1], asked[2], asked[3])


def _taken(method: str, path: str, body: str) -> None:
    document = openapi()
    route = next(
        known
        for known, methods in document["paths"].items()
        if method.lower() in methods and re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", known), path)
    )
    request = document["paths"][route][method.lower()].get("requestBody", {"content": {}})
    schema = request["content"].get("application/json", {"schema": False})["schema"]
    try:
        jsonschema.validate(
            json.loads(body), {"components": document["components"], "allOf": [schema]}
        )
    except (ValueError, jsonschema.ValidationError) as error:
        raise Wrong(f"{method} {path} does not take {body}: {error}") from error


def _dotenv(text: str) -> None:
    """Settings, one a line: known ones, with values that they take."""
    given: dict[str, Any] = {}
    for line in text.splitlines():
        setting = line.partition("  #")[0]
        name, equals, value = setting.strip().partition("=")
        if not name or name.startswith("#"):
            continue
        if not equals or not re.fullmatch("[A-Z0-9_]+", name):
            raise Wrong(f"{line!r} is not NAME=value")
        if name.endswith("_FILE"):
            name, value = name.removesuffix("_FILE"), "0"
        given[name] = value
    try:
        config.load(given)
    except config.ConfigError as error:
        raise Wrong(str(error)) from error


def _valkey(text: str) -> None:
    """A configuration of the engine: it starts with it."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "valkey.conf").write_text(text, encoding="utf-8")
        given = ["valkey.conf"] + (["--sentinel"] if "sentinel monitor" in text else [])
        given += ["--port", str(free_port()), "--bind", "127.0.0.1", "--logfile", ""]
        with subprocess.Popen(
            [locate(None).path, *given], cwd=folder, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        ) as process:  # fmt: skip
            assert process.stdout is not None
            try:
                said = []
                for line in process.stdout:
                    said.append(line)
                    if "eady to accept connections" in line or "Sentinel ID is" in line:
                        return
            finally:
                process.terminate()
    raise Wrong("".join(said))


CHECKS: Final[dict[str, Callable[[str], None]]] = {
    "sh": _sh,
    "python": _python,
    "javascript": _javascript,
    "json": _json,
    "yaml": _yaml,
    "toml": _toml,
    "ini": _ini,
    "http": _http,
    "dotenv": _dotenv,
    "valkey": _valkey,
    "text": lambda text: None,
}
