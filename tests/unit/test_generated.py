"""Generated files are what `make gen` writes."""

from __future__ import annotations

from pathlib import Path

import pytest

from batonbox_server.gen import ROOT, rendered


@pytest.mark.parametrize("relative", list(rendered()), ids=str)
def test_a_generated_file_has_not_drifted(relative: Path) -> None:
    on_disk = (ROOT / relative).read_text(encoding="utf-8")
    assert on_disk == rendered()[relative], f"{relative} drifted: regenerate by `make gen`"


def test_every_error_frame_and_command_stands_in_the_protocol() -> None:
    from batonbox_server import wire
    from batonbox_server.errors import CODES

    text = rendered()[Path("docs/protocol.md")]
    for name in [*CODES, *wire.COMMANDS]:
        assert f"`{name}`" in text
    documented = {int(op) for op in (*wire.CLIENT_FRAMES, *wire.SERVER_FRAMES)}
    assert documented | {wire.Op.VIEWING} == {int(op) for op in wire.Op}
    assert "{{" not in text
