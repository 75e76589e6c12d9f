"""How many messages a text is: facts by hand, and the vectors that the browser's test reads."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from batonbox_server.domain.segments import segments

VECTORS: list[dict[str, Any]] = json.loads(
    (Path(__file__).parents[1] / "vectors" / "segments.json").read_text()
)


@pytest.mark.parametrize(
    ("text", "encoding", "used", "count"),
    [
        ("", "GSM-7", 0, 0),
        ("a" * 160, "GSM-7", 160, 1),
        ("a" * 161, "GSM-7", 161, 2),
        ("a" * 306, "GSM-7", 306, 2),
        ("a" * 307, "GSM-7", 307, 3),
        ("€[]{}~^|\\", "GSM-7", 18, 1),
        ("a" * 159 + "€", "GSM-7", 161, 2),
        ("a" * 152 + "€" + "a" * 152, "GSM-7", 307, 3),  # not cut in two: a place stays empty
        ("ça va", "UCS-2", 5, 1),
        ("Größe, señor, Åse, è, Ç", "GSM-7", 23, 1),
        ("я" * 70, "UCS-2", 70, 1),
        ("я" * 71, "UCS-2", 71, 2),
        ("😀" * 35, "UCS-2", 70, 1),
        ("😀" * 67, "UCS-2", 136, 3),
    ],
)
def test_a_text_takes_as_many(text: str, encoding: str, used: int, count: int) -> None:
    found = segments(text)
    assert (found.encoding, found.used, found.count) == (encoding, used, count)


def test_the_vectors_are_what_it_says() -> None:
    assert [asdict(segments(vector["text"])) for vector in VECTORS] == [
        {name: value for name, value in vector.items() if name != "text"} for vector in VECTORS
    ]
    assert {(v["encoding"], min(v["count"], 3)) for v in VECTORS} >= {
        (encoding, count) for encoding in ("GSM-7", "UCS-2") for count in (1, 2, 3)
    }
