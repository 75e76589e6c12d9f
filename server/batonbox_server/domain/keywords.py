"""The words by which a customer says whether they want to be written to; pure."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

__all__ = ["Word", "word_of"]


class Word(StrEnum):
    """What a message says about being written to; most say nothing."""

    NONE = ""
    STOP = "stop"
    START = "start"
    HELP = "help"


_WORDS: Final[dict[str, Word]] = {
    **dict.fromkeys(
        ("STOP", "STOPALL", "UNSUBSCRIBE", "CANCEL", "END", "QUIT", "REVOKE", "OPTOUT"), Word.STOP
    ),
    **dict.fromkeys(("START", "YES", "UNSTOP"), Word.START),
    **dict.fromkeys(("HELP", "INFO"), Word.HELP),
}


def word_of(text: str) -> Word:
    """The keyword that the whole message is, in any case and with blanks around it.

    START, YES and UNSTOP are said by many who never opted out: whether one counts is decided where
    it is known that the customer has.
    """
    word = text.strip()
    # Other alphabets have letters whose capitals are these.
    return _WORDS.get(word.upper(), Word.NONE) if word.isascii() else Word.NONE
