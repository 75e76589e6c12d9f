"""What customers' keywords do to an inbox: the twin of lua/lib/optout.lua."""

from __future__ import annotations

from dataclasses import dataclass

from batonbox_server.domain.inbox import Inbox
from batonbox_server.domain.keywords import Word
from batonbox_server.domain.model import Row

__all__ = ["Heard", "blocked_since", "heard"]


@dataclass(frozen=True, slots=True)
class Heard:
    """`mute`: why the message is appended and no more, ""; `answered`: automatically."""

    mute: str = ""
    answered: bool = False


def blocked_since(inbox: Inbox, row: Row) -> int:
    """Since when the customer wants no messages from our number, 0: they may be written to."""
    return max(0, inbox.words.get((row.our, row.customer), 0))


def heard(inbox: Inbox, row: Row, word: str, at: int) -> Heard:
    """Keep what the customer said at `at`; the later word counts, whichever comes first.

    STOP is confirmed once per opting out, START while there is a block, HELP always.
    """
    if word in (Word.NONE, Word.HELP):
        return Heard(answered=word == Word.HELP)
    pair = (row.our, row.customer)
    last = inbox.words.get(pair, 0)
    out, newer = last > 0, at > abs(last)
    if word == Word.STOP and at == last:  # known before its message is here
        out, newer = False, True
    if newer:
        inbox.words[pair] = at if word == Word.STOP else -at
    answered = newer and out == (word == Word.START)
    start = "opt_in" if out else ""
    return Heard(mute="opt_out" if word == Word.STOP else start, answered=answered)
