"""A bot as a process: found by its name, ended by signals."""

from __future__ import annotations

import asyncio
import importlib
import logging
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from batonbox._client import Client
    from batonbox.bot._bot import Bot

__all__ = ["load_bot", "run_until_signal"]

_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)
_log = logging.getLogger("batonbox.bot")


def load_bot(name: str) -> Bot:
    """The Bot that `module:name` stands for, also of the current folder. Raises ValueError."""
    from batonbox.bot._bot import Bot

    module_name, _, path = name.partition(":")
    if not module_name or not path:
        raise ValueError(f"name the bot as MODULE:BOT, for example bots:bot, not {name!r}")
    if "" not in sys.path:
        sys.path.insert(0, "")
    try:
        found: object = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{module_name}.".startswith(f"{error.name}."):
            raise  # of something that the module imports
        raise ValueError(f"there is no module {module_name!r} here or installed") from error
    for attribute in path.split("."):
        found = getattr(found, attribute, None)
    if not isinstance(found, Bot):
        raise ValueError(f"{name} is no batonbox.Bot but {found!r}")  # noqa: TRY004 - of a name
    return found


async def run_until_signal(bot: Bot, client: Client | None = None) -> None:
    """Serve until SIGINT or SIGTERM, then drain; the next one ends the process at once.

    It logs to stderr, unless the program has set up logging: else who waits is mute.
    """
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    with _stopped_by_signals(bot):
        await bot.start(client)


@contextmanager
def _stopped_by_signals(bot: Bot) -> Iterator[None]:
    loop = asyncio.get_running_loop()

    def asked(number: int) -> None:
        for each in heard:
            loop.remove_signal_handler(each)
            signal.signal(each, signal.SIG_DFL)
        bot.stop()
        _log.info("stopping (%s); once more ends it at once", signal.Signals(number).name)

    heard: list[signal.Signals] = []
    # Not in the main thread, or without signals, whoever runs the loop cancels us.
    with suppress(NotImplementedError, RuntimeError, ValueError):
        for number in _SIGNALS:
            loop.add_signal_handler(number, asked, number)
            heard.append(number)
    try:
        yield
    finally:
        for number in heard:
            loop.remove_signal_handler(number)
