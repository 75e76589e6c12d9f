"""The SDK's copy of the wire contract."""

from __future__ import annotations

from pathlib import Path

from batonbox_server import wire
from batonbox_server.errors import CODES

HEADER = "# Generated from batonbox_server/wire.py and errors.py by `make gen`; edits are lost.\n"
TABLE = """

# number -> (slug, whether a retry can help, remedy)
ERRORS: Final[dict[int, tuple[str, bool, str]]] = {
"""


def sdk_wire() -> str:
    """The text of `batonbox/_wire.py`: wire.py itself, then the error table."""
    rows = "".join(
        f'    {code.number}: ("{code.slug}", {code.retryable}, "{code.remedy}"),\n'
        for code in CODES.values()
    )
    return HEADER + Path(wire.__file__).read_text(encoding="utf-8") + TABLE + rows + "}\n"
