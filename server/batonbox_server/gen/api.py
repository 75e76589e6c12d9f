"""The API's documents as text: for docs/, and for a node to serve."""

from __future__ import annotations

import json
from functools import cache
from typing import Any, Final

from batonbox_server.asgi.apidocs import ApiDocs

from .api_page import STYLE, api_page
from .asyncapi import asyncapi
from .openapi import openapi

__all__ = ["SNAPSHOT", "api_docs", "text_of"]

SNAPSHOT: Final = "tests/vectors/openapi_v1.json"


@cache
def api_docs() -> ApiDocs:
    """Rendered at the first call."""
    document = openapi()
    return ApiDocs(text_of(document), text_of(asyncapi()), api_page(document), STYLE)


def text_of(document: dict[str, Any]) -> str:
    """A document as it is committed and served."""
    return json.dumps(document, indent=1) + "\n"
