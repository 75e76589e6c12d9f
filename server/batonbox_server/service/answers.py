"""The automatic answers to customers' keywords."""

from __future__ import annotations

from typing import Final, Protocol

from batonbox_server.carriers.port import Carrier
from batonbox_server.domain.keywords import Word
from batonbox_server.domain.model import InboxOptions
from batonbox_server.store.port import Keyword

from .directory import LiveDirectory
from .opt_outs import Said
from .texts import message_body

__all__ = ["Answers", "Carriers", "default_text"]

_DEFAULTS: Final[dict[Word, str]] = {
    Word.STOP: "You will get no more messages from this number. Reply START to get them again.",
    Word.START: "You will get messages from this number again. Reply STOP to end them.",
    Word.HELP: "Write here and one of us will read it. Reply STOP to get no more messages.",
}
_NO_OPTIONS: Final = InboxOptions()
# The organisation's name stands before a default text, so that both fit into one message.
_NAME_CHARS: Final = 60


class Carriers(Protocol):
    """The carriers this server sends by; a mapping is one."""

    def get(self, name: str, /) -> Carrier | None:
        """The carrier of this id."""


class Answers:
    """What an inbox's admin wrote, or the default; nothing where the carrier answers itself."""

    def __init__(self, directory: LiveDirectory, carriers: Carriers) -> None:
        self._directory = directory
        self._carriers = carriers

    def keyword(self, said: Said, *, inbox: str, carrier: str) -> Keyword | None:
        """For the inbox's step; None: an ordinary message that gets no answer."""
        if said.word is Word.NONE:
            return None
        found = self._carriers.get(carrier)
        answers_itself = found is not None and found.answers_keywords
        answer = b"" if answers_itself else message_body(self._text(said.word, inbox))
        return Keyword(str(said.word), said.at, answer)

    def _text(self, word: Word, inbox: str) -> str:
        found = self._directory.inboxes.get(inbox)
        options = found.options if found else _NO_OPTIONS
        texts = {
            Word.STOP: options.stop_text,
            Word.START: options.start_text,
            Word.HELP: options.help_text,
        }
        return texts[word] or default_text(word, self._directory.name)


def default_text(word: Word, organisation: str) -> str:
    """The answer where nobody wrote another, for one text message."""
    name = organisation.strip()
    if len(name) > _NAME_CHARS:
        name = name[: _NAME_CHARS - 3].rstrip() + "..."
    return f"{name}: {_DEFAULTS[word]}" if name else _DEFAULTS[word]
