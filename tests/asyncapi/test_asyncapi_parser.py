"""The document of the websocket, as the AsyncAPI project's own parser reads it."""

from __future__ import annotations

import copy
import json
import subprocess
from pathlib import Path
from typing import Any, Final

from batonbox_server import wire
from batonbox_server.gen import ROOT
from batonbox_server.gen.asyncapi import asyncapi
from tests.node_packages import node_with

Json = dict[str, Any]
HERE: Final = Path(__file__).parent
# It would like the newest minor version of AsyncAPI: 3.0 is what tools read today.
ADVICE: Final = {"asyncapi-latest-version"}


def parsed(*texts: str) -> list[Json]:
    """What the parser finds in each: `messages` (null: broken) and `diagnostics`."""
    done = subprocess.run(
        [str(node_with(HERE)), str(HERE / "validate.mjs")],
        input=json.dumps(texts).encode(),
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode(errors="replace")[-4000:]
    found: list[Json] = json.loads(done.stdout)
    return found


def faults(found: Json) -> list[Json]:
    """Everything it says, but for advice: a warning is a fault here."""
    return [one for one in found["diagnostics"] if one["code"] not in ADVICE]


def test_the_document_is_read_without_a_complaint_and_holds_every_frame() -> None:
    committed = (ROOT / "docs" / "asyncapi.json").read_text(encoding="utf-8")
    made, stored = parsed(json.dumps(asyncapi()), committed)
    assert (faults(made), faults(stored)) == ([], [])
    ops = [*wire.CLIENT_FRAMES, *wire.SERVER_FRAMES]
    assert made["messages"] == sorted(wire.Op(op).name.lower() for op in ops)


def _no_title(document: Json) -> None:
    del document["info"]["title"]


def _unknown_action(document: Json) -> None:
    document["operations"]["client"]["action"] = "publish"


def _dangling_reference(document: Json) -> None:
    document["channels"]["ws"]["messages"]["hello"]["$ref"] = "#/components/messages/gone"


def _no_schema(document: Json) -> None:
    document["components"]["messages"]["hello"]["payload"]["items"] = "all of them"


def test_a_broken_document_is_refused() -> None:
    documents = []
    for broken in (_no_title, _unknown_action, _dangling_reference, _no_schema):
        documents.append(copy.deepcopy(asyncapi()))
        broken(documents[-1])
    for found in parsed(*map(json.dumps, documents)):
        assert any(one["severity"] == 0 for one in faults(found)), found["diagnostics"]
        assert found["messages"] is None
