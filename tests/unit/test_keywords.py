"""One word alone, in any case, is a keyword; in a sentence it is not."""

from __future__ import annotations

import pytest

from batonbox_server.domain.keywords import Word, word_of


@pytest.mark.parametrize(
    ("texts", "word"),
    [
        (("STOP", "stop", " Stop\n", "STOPALL", "unsubscribe", "Cancel", "END", "quit", "REVOKE",
          "optout"), Word.STOP),
        (("START", "yes", "\tUnStop "), Word.START),
        (("help", "INFO"), Word.HELP),
        (("", "stop it", "please stop", "STOP.", "S T O P", "yes!", "information", "helpful",
          "opt out", "stop stop", "\u017ftop", "\u0455top"), Word.NONE),
    ],
)  # fmt: skip
def test_what_a_message_says(texts: tuple[str, ...], word: Word) -> None:
    assert {text: word_of(text) for text in texts} == dict.fromkeys(texts, word)
