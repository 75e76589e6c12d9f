"""Files that derive from the tables of the code: rendered here, never edited."""

from __future__ import annotations

from pathlib import Path

from batonbox_server.gen.api import api_docs
from batonbox_server.gen.blocking import blocking_events, blocking_verbs
from batonbox_server.gen.reference import reference_pages
from batonbox_server.gen.sdk import sdk_wire
from batonbox_server.gen.tables import protocol
from batonbox_server.gen.vectors import keyword_vectors, segment_vectors, vectors
from batonbox_server.gen.web import web_wire

__all__ = ["ROOT", "rendered", "write"]

ROOT = Path(__file__).parents[3]
_SDK = ROOT / "client_sdk" / "batonbox"


def rendered() -> dict[Path, str]:
    """Every generated file's path, relative to the repository, and its text."""
    template = (ROOT / "docs" / "protocol.in.md").read_text(encoding="utf-8")
    return {
        Path("client_sdk/batonbox/_wire.py"): sdk_wire(),
        Path("client_sdk/batonbox/sync/_events.py"): blocking_events(_SDK),
        Path("client_sdk/batonbox/sync/_mirror.py"): blocking_verbs(_SDK),
        Path("server/web_client/src/wire.ts"): web_wire(),
        Path("docs/protocol.md"): protocol(template),
        Path("docs/openapi.json"): api_docs().openapi,
        Path("docs/asyncapi.json"): api_docs().asyncapi,
        Path("tests/vectors/frames.json"): vectors(),
        Path("tests/vectors/segments.json"): segment_vectors(),
        Path("tests/vectors/keywords.json"): keyword_vectors(),
        **reference_pages(ROOT),
    }


def write() -> list[Path]:
    """Write the files that differ; returns those."""
    changed = []
    for relative, text in rendered().items():
        path = ROOT / relative
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
            changed.append(relative)
    return changed
