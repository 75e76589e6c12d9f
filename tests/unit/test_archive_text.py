"""What `batonbox-server archive status` says of the engine's memory, and of what waits."""

from __future__ import annotations

import time

import pytest

from batonbox_server.node_archive import archive_text

MIB = 2**20
REPORT = {
    **dict.fromkeys(("lines", "rows", "size_bytes", "waiting", "oldest_waiting_ms", "holds"), 0),
    **dict.fromkeys(("conversations_away", "engine_memory_used", "engine_memory_bound"), 0),
    **dict.fromkeys(("kind", "id", "known_id", "trouble"), ""),
}


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
    assert f"engine         {said}" in archive_text({**REPORT, **memory}).splitlines()


@pytest.mark.parametrize(
    ("age_s", "said"),
    [(30 * 86_400, "30.0 days"), (86_400, "24.0 hours"), (5_400, "90.0 minutes"), (9.2, "seconds")],
)
def test_it_tells_how_long_the_oldest_has_waited(age_s: float, said: str) -> None:
    since_ms = round(1000 * (time.time() - age_s))
    (line,) = [
        line
        for line in archive_text({**REPORT, "waiting": 3, "oldest_waiting_ms": since_ms}).split(
            "\n"
        )
        if line.startswith("waiting")
    ]
    assert line.startswith("waiting        3, the oldest ")
    assert line.endswith(said)
