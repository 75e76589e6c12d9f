"""The API's documents: valid, complete, and no surprise to a client of the last snapshot."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterator
from functools import cache
from html.parser import HTMLParser
from typing import Any

import jsonschema
import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from batonbox_server import wire
from batonbox_server.asgi.app import ALL_ENDPOINTS
from batonbox_server.asgi.endpoint import Endpoint
from batonbox_server.errors import CODES
from batonbox_server.gen import ROOT
from batonbox_server.gen.api import SNAPSHOT, api_docs
from batonbox_server.gen.asyncapi import asyncapi
from batonbox_server.gen.breaking import breaking
from batonbox_server.gen.openapi import openapi
from batonbox_server.gen.vectors import FRAMES

Json = dict[str, Any]
# Made once, and copied by who changes something.
rest, frames = cache(openapi), cache(asyncapi)


def parts(value: Any) -> Iterator[Json]:
    """Every object within a document."""
    if isinstance(value, dict):
        yield value
        value = list(value.values())
    if isinstance(value, list):
        for item in value:
            yield from parts(item)


def target(document: Json, reference: str) -> Any:
    """What a reference points to; raises KeyError."""
    found: Any = document
    for name in reference.removeprefix("#/").split("/"):
        found = found[name]
    return found


def test_openapi_is_valid() -> None:
    OpenAPIV31SpecValidator(rest()).validate()


@pytest.mark.parametrize("row", ALL_ENDPOINTS, ids=lambda row: f"{row.method} {row.path}")
def test_an_endpoint_is_declared(row: Endpoint) -> None:
    """Its row in its table is all the document knows."""
    assert row.handler.__doc__, "the handler's docstring describes the endpoint"
    bodiless = row.status == 204 or 300 <= row.status < 400
    assert (row.returns is None) == bodiless, "the row declares returns=, or a status without body"
    assert set(row.errors) <= CODES.keys()
    document = rest()
    operation = document["paths"][row.path][row.method.lower()]
    told = {tag["name"]: tag["description"] for tag in document["tags"]}
    assert told[operation["tags"][0]], "gen/openapi.py: TAGS says what this part of the API is"
    assert bool(operation["security"]) == (row.action is not None)


def test_operations_have_names_of_their_own() -> None:
    names = [o["operationId"] for path in rest()["paths"].values() for o in path.values()]
    assert len(names) == len(set(names)) == len(ALL_ENDPOINTS)


def test_every_reference_of_asyncapi_leads_somewhere() -> None:
    document = frames()
    found = [part["$ref"] for part in parts(document) if "$ref" in part]
    assert found
    for reference in found:
        target(document, reference)


def test_asyncapi_is_of_the_shape_of_version_3() -> None:
    """What its specification asks of the root, operations and messages."""
    document = frames()
    assert re.fullmatch(r"3\.\d+\.\d+", document["asyncapi"])
    assert {"title", "version"} <= document["info"].keys()
    channels, messages = document["channels"], document["components"]["messages"]
    for operation in document["operations"].values():
        assert operation["action"] in {"send", "receive"}
        channel = target(document, operation["channel"]["$ref"])
        assert channel in channels.values()
        for message in operation["messages"]:
            # An operation names messages by its channel, not by the components.
            assert message["$ref"].startswith(operation["channel"]["$ref"] + "/messages/")
    for message in messages.values():
        jsonschema.Draft7Validator.check_schema(message["payload"])
    for schema in document["components"]["schemas"].values():
        jsonschema.Draft7Validator.check_schema(schema)
    ops = {message["payload"]["items"][0]["const"] for message in messages.values()}
    assert ops == {int(op) for op in (*wire.CLIENT_FRAMES, *wire.SERVER_FRAMES)}
    assert {entry["code"] for entry in channels["ws"]["x-close-codes"]} == {*map(int, wire.Close)}


def schema_of(op: int) -> Json:
    """A frame's payload, with what it refers to beside it."""
    document = frames()
    payloads = [message["payload"] for message in document["components"]["messages"].values()]
    found: Json = next(p for p in payloads if p["items"][0]["const"] == op)
    return {**found, "components": document["components"]}


@pytest.mark.parametrize("name", FRAMES)
def test_golden_frames_fit_their_schemas(name: str) -> None:
    frame = [int(FRAMES[name][0]), *FRAMES[name][1:]]
    checked = jsonschema.Draft7Validator(schema_of(frame[0]))
    checked.validate(frame)
    assert not checked.is_valid([frame[0] + 1, *frame[1:]])
    if checked.schema["minItems"] > 1:
        assert not checked.is_valid(frame[:1])


def test_a_commands_arguments_are_closed() -> None:
    checked = jsonschema.Draft7Validator(schema_of(wire.Op.CMD))
    assert not checked.is_valid([1, 1, "assign", {"cid": "c", "conv": "s.1", "colour": "blue"}])
    assert not checked.is_valid([1, 1, "explode", {"cid": "c", "conv": "s.1"}])


class Page(HTMLParser):
    """Anchors, links and everything that a strict policy would stop."""

    def __init__(self) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.links: list[str] = []
        self.stopped: list[str] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.ids += [str(given["id"])] if "id" in given else []
        self.links += [str(given["href"])] if "href" in given else []
        if tag in {"script", "style", "img", "iframe"} or "style" in given:
            self.stopped.append(tag)
        if tag not in {"meta", "link"}:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_page_shows_every_endpoint_and_needs_nothing_else() -> None:
    page = Page()
    page.feed(api_docs().page)
    assert page.open == [] and page.stopped == []
    assert len(page.ids) == len(set(page.ids))
    served = {"/openapi.json", "/asyncapi.json", "/docs/api.css"}
    assert {link for link in page.links if not link.startswith("#")} == served
    assert {link[1:] for link in page.links if link.startswith("#")} <= set(page.ids)
    for row in ALL_ENDPOINTS:
        assert f"<h3>{row.method} {row.path}</h3>" in api_docs().page


def test_nothing_breaks_clients_of_the_snapshot() -> None:
    """On purpose only, with the next major version: then `make api-snapshot`."""
    snapshot = json.loads((ROOT / SNAPSHOT).read_text(encoding="utf-8"))
    found = breaking(snapshot, rest())
    assert not found, "breaks clients of the API:\n" + "\n".join(found)


def _at(document: Json, *path: str) -> Json:
    for name in path:
        document = document[name]
    return document


def _reply(document: Json) -> Json:
    return _at(document, "components", "schemas", "ReplyBody")


def _row(document: Json) -> Json:
    """A shape of many answers: its break is named once, where it is met first."""
    return _at(document, "components", "schemas", "Conversation")


def _list(document: Json) -> Json:
    return _at(document, "paths", "/v1/conversations", "get")


COMPOSED = "POST /v1/inboxes/{inbox}/compose 201.conversation"
REPLY = "POST /v1/conversations/{conv}/reply"
BREAKS: list[tuple[Any, str]] = [
    (lambda d: d["paths"].pop("/v1/me"), "/v1/me: the path is gone"),
    (lambda d: d["paths"]["/v1/session"].pop("delete"), "DELETE /v1/session: the method is gone"),
    (lambda d: _reply(d)["required"].append("own_tok"),
     f"{REPLY} body: the field own_tok is required now"),
    (lambda d: _reply(d)["properties"].pop("media"), f"{REPLY} body: the field media is gone"),
    (lambda d: _reply(d)["properties"]["text"].update(type="integer"),
     f"{REPLY} body.text: its type changed from string to integer"),
    (lambda d: _row(d)["properties"].pop("preview"),
     f"{COMPOSED}: the field preview is gone"),
    (lambda d: _row(d)["required"].remove("rev"),
     f"{COMPOSED}: the field rev may be missing now"),
    (lambda d: _row(d)["properties"]["n"].update(type="string"),
     f"{COMPOSED}.n: its type changed from integer to string"),
    (lambda d: _row(d)["properties"]["n"].update(type=["integer", "null"]),
     f"{COMPOSED}.n: its type changed from integer to integer or null"),
    (lambda d: _list(d)["parameters"].pop(0),
     "GET /v1/conversations: the parameter query inbox is gone"),
    (lambda d: _list(d)["parameters"][0].update(required=True),
     "GET /v1/conversations: the parameter query inbox is required now"),
    (lambda d: _list(d)["parameters"][1]["schema"]["enum"].remove("mine"),
     "GET /v1/conversations parameter query view: 'mine' is not taken any more"),
    (lambda d: _list(d)["responses"].pop("200"), "GET /v1/conversations: the answer 200 is gone"),
    (lambda d: d["paths"]["/livez"]["get"].update(security=[{"bearer": []}]),
     "GET /livez: one has to sign in now"),
]  # fmt: skip


@pytest.mark.parametrize(("change", "says"), BREAKS, ids=[says for _, says in BREAKS])
def test_a_break_is_named(change: Any, says: str) -> None:
    changed = copy.deepcopy(rest())
    change(changed)
    assert says in breaking(rest(), changed)


def test_additions_break_nothing() -> None:
    """A path, an optional field to send, a field and a value to read, a looser type to send."""
    changed = copy.deepcopy(rest())
    changed["paths"]["/v1/new"] = changed["paths"]["/v1/me"]
    _reply(changed)["properties"]["urgent"] = {"type": "boolean"}
    _reply(changed)["properties"]["text"]["type"] = ["string", "null"]
    _row(changed)["properties"]["labels"] = {"type": "array", "items": {"type": "string"}}
    _row(changed)["required"].append("labels")
    _at(changed, "components", "schemas", "Status")["enum"].append("snoozed")
    assert breaking(rest(), changed) == []
