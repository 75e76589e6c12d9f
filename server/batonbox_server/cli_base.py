"""What every command of the shell begins with: settings, logs, the loop, one line of trouble."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sys
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from typing import Any, TypeVar

import click
import structlog

from batonbox_server import config
from batonbox_server.errors import BatonboxError
from batonbox_server.origin import acting
from batonbox_server.repeats import Repeats

__all__ = ["failing_with", "log_to_stderr", "run", "say", "say_aside", "settings_of"]

T = TypeVar("T")


def run(work: Callable[[], Awaitable[T]]) -> T:
    """Run on the fastest loop installed; what a person can mend ends in one line and status 1."""

    async def main_task() -> T:
        return await work()

    try:
        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            return runner.run(main_task())
    except (BatonboxError, config.ConfigError) as error:
        raise click.ClickException(getattr(error, "message", "") or str(error)) from error


@contextlib.contextmanager
def failing_with(status: int) -> Iterator[None]:
    """What cannot be done ends with this status, where 1 means something else."""
    try:
        yield
    except click.ClickException as error:
        error.show()
        sys.exit(status)


def settings_of(**overrides: Any) -> config.Settings:
    """The settings, with what the command line says over them."""
    try:
        return config.load(**overrides)
    except config.ConfigError as error:
        raise click.ClickException(str(error)) from error


def say(text: str) -> None:
    """To standard output, at once."""
    click.echo(text)
    sys.stdout.flush()


def say_aside(text: str) -> None:
    """To standard error."""
    click.echo(text, err=True)


def log_to_stderr(level: str, **more: Any) -> None:
    """`more` is in every line."""
    number = logging.getLevelNamesMapping().get(level.upper())
    if number is None:
        raise click.ClickException(f"BATONBOX_LOG_LEVEL: {level} is no level; try info")
    render: Any = structlog.processors.JSONRenderer()
    if sys.stderr.isatty():
        render = structlog.dev.ConsoleRenderer()
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            _with_request,
            Repeats(),
            lambda _, __, event: {**event, **more},
            structlog.processors.TimeStamper(fmt="iso"),
            structlog.processors.format_exc_info,
            render,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )


def _with_request(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    request = acting.get().request
    if request:
        event.setdefault("request_id", request)
    return event


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop  # an extra
    except ImportError:
        return None
    return uvloop.new_event_loop
