"""What handlers of a bot raise, for the test that plays it."""

from __future__ import annotations

import logging

__all__ = ["Errors"]


class Errors(logging.Handler):
    """What no error handler of the bot took, as the bot logs it."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self._found: list[BaseException] = []

    def listen(self) -> None:
        """From now on."""
        logging.getLogger("batonbox").addHandler(self)

    def unlisten(self) -> None:
        """No more."""
        logging.getLogger("batonbox").removeHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        if record.exc_info and record.exc_info[1] is not None:
            self._found.append(record.exc_info[1])

    def check(self) -> None:
        """Raise it, once."""
        found, self._found = self._found, []
        if len(found) == 1:
            raise found[0]
        if found:
            raise BaseExceptionGroup("handlers of the bot failed", found)
