"""How many text messages a carrier makes of a text; pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

__all__ = ["Segments", "segments"]

_GSM: Final = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
# Each takes two places: the escape and itself.
_GSM_EXTENSION: Final = frozenset("\f^{}\\[~]|€")


@dataclass(frozen=True, slots=True)
class Segments:
    """`used` of `room` places, in septets or 16-bit units; `count` is 0 for no text at all."""

    encoding: Literal["GSM-7", "UCS-2"]
    used: int
    room: int
    count: int


def segments(text: str) -> Segments:
    """What `text` takes: 160 places alone or 153 each in GSM-7, 70 or 67 in UCS-2."""
    gsm = _gsm_widths(text)
    single, each = (160, 153) if gsm is not None else (70, 67)
    widths = gsm if gsm is not None else [2 if ord(c) > 0xFFFF else 1 for c in text]
    used, count = _pack(widths, single, each)
    room = count * each if count > 1 else single
    return Segments("GSM-7" if gsm is not None else "UCS-2", used, room, count)


def _gsm_widths(text: str) -> list[int] | None:
    widths = []
    for character in text:
        if character in _GSM:
            widths.append(1)
        elif character in _GSM_EXTENSION:
            widths.append(2)
        else:
            return None
    return widths


def _pack(widths: Sequence[int], single: int, each: int) -> tuple[int, int]:
    """(used, count); a character of two places is not cut: one may stay empty at an end."""
    used = sum(widths)
    if used <= single:
        return used, int(used > 0)
    count, filled = 1, 0
    for width in widths:
        if filled + width > each:
            count, filled = count + 1, 0
        filled += width
    return (count - 1) * each + filled, count
