"""What a request is called in answers and in the log."""

from __future__ import annotations

import re
import uuid
from typing import Final

from starlette.types import Scope

__all__ = ["request_id_of"]

_KEPT: Final = "batonbox.request_id"
# What may stand in a line of any log as it is.
_FIT: Final = re.compile(rb"[A-Za-z0-9._-]{1,64}")


def request_id_of(scope: Scope) -> str:
    """The caller's `x-request-id` where it is 1 to 64 letters, digits, `.`, `_`, `-`; else our own.

    The same one each time for the same request.
    """
    known = scope.get(_KEPT)
    if known is None:
        given = next((value for name, value in scope["headers"] if name == b"x-request-id"), b"")
        known = given.decode() if _FIT.fullmatch(given) else uuid.uuid4().hex
        scope[_KEPT] = known
    return str(known)
