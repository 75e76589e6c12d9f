"""A file has its name only when all of the export is in it."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from batonbox_server.errors import Refused
from batonbox_server.service.export_file import Saving

LINES = [
    b'{"kind":"header"}\n',
    b'{"kind":"progress","done":1,"total":2}\n',
    b'{"kind":"message","body":{"text":"\\n{\\"kind\\":\\"end\\"}"}}\n',
]


def ended(lines: list[bytes], digest: str = "") -> bytes:
    found = b"".join(lines)
    sha256 = digest or hashlib.sha256(found).hexdigest()
    end = {"kind": "end", "counts": {"message": 1}, "sha256": sha256}
    return found + msgspec.json.encode(end) + b"\n"


async def pieces(data: bytes, size: int) -> AsyncIterator[bytes]:
    for at in range(0, len(data), size):
        yield data[at : at + size]


@pytest.mark.parametrize("size", [1, 7, 10_000])
async def test_a_whole_export_gets_its_name(tmp_path: Path, size: int) -> None:
    said: list[str] = []
    file = tmp_path / "all"
    await Saving(file, said.append).take(pieces(ended(LINES), size))
    assert file.read_bytes() == ended(LINES)
    assert not file.with_name("all.part").exists()
    counted = "0 conversations, 0 rooms, 1 messages, 0 contacts, 0 users."
    assert said == ["1 of 2 conversations and rooms", f"{file}: {counted}"]


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"".join(LINES), "broke off"),
        (ended(LINES, digest="0" * 64), "broke off"),
        (ended(LINES)[:-3], "broke off"),
        (ended(LINES)[5:], "broke off"),
        (
            LINES[0] + b'{"kind":"error","code":"forbidden","detail":"No."}\n',
            "No. What there is of it",
        ),
    ],
)
async def test_a_part_keeps_another_name(tmp_path: Path, data: bytes, says: str) -> None:
    file = tmp_path / "all"
    with pytest.raises(Refused) as caught:
        await Saving(file, lambda _: None).take(pieces(data, 16))
    assert says in caught.value.message
    assert not file.exists()
    assert file.with_name("all.part").exists()


def test_what_is_there_is_not_written_over(tmp_path: Path) -> None:
    (tmp_path / "all").write_text("precious")
    with pytest.raises(Refused):
        Saving(tmp_path / "all", lambda _: None)


async def test_what_was_left_there_is_not_written_into(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_text("precious")
    (tmp_path / "all.part").symlink_to(elsewhere)
    (tmp_path / "more.part").write_text("of before")
    (tmp_path / "more.part").chmod(0o644)
    for name in ("all", "more"):
        await Saving(tmp_path / name, lambda _: None).take(pieces(ended(LINES), 16))
        assert (tmp_path / name).stat().st_mode & 0o777 == 0o600
    assert elsewhere.read_text() == "precious"


async def test_a_full_disk_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "all"
    saving = Saving(file, lambda _: None)
    monkeypatch.setattr(saving, "_opened", lambda: open("/dev/full", "wb", buffering=0))  # noqa: PTH123, SIM115
    with pytest.raises(Refused) as caught:
        await saving.take(pieces(ended(LINES), 16))
    assert "No space left" in caught.value.message
    assert not file.exists()
