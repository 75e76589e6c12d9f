"""What `batonbox-server archive status` says of the engine's memory."""

from __future__ import annotations

import pytest

from batonbox_server.node_archive import archive_text

MIB = 2**20
REPORT = dict.fromkeys(
    ("lines", "rows", "size_bytes", "waiting", "oldest_waiting_ms", "holds", "conversations_away"),
    0,
)


@pytest.mark.parametrize(
    ("used", "bound", "said"),
    [
        (33, 0, "33.0 MiB, no bound"),
        (20, 24, "20.0 MiB of 24.0 MiB"),
        (33, 24, "33.0 MiB of 24.0 MiB; over it: logs and open conversations stay"),
    ],
)
def test_it_tells_the_bound_and_whether_it_is_kept(used: int, bound: int, said: str) -> None:
    memory = {"engine_memory_used": used * MIB, "engine_memory_bound": bound * MIB}
    names = {"kind": "none", "id": "", "known_id": "", "trouble": ""}
    assert f"engine         {said}" in archive_text({**REPORT, **names, **memory}).splitlines()
