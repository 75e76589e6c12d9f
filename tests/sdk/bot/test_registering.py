"""What cannot work is refused when it is registered, and the message says what to do."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

import pytest

from batonbox import Assigned, Bot, Client, MessageReceived, Resync, Router


async def good(event: Any, ctx: Any) -> None: ...
async def nothing() -> None: ...
async def three(event: Any, ctx: Any, more: Any) -> None: ...
async def keyword(event: Any, *, more: Any) -> None: ...
def plain(event: Any) -> None: ...


def included_twice(bot: Bot) -> None:
    router = Router()
    bot.include(router)
    Router().include(router)


def in_a_circle(bot: Bot) -> None:
    one, two = Router(), Router()
    one.include(two)
    two.include(one)


WRONG: dict[str, tuple[Callable[[Any], Any], type[Exception], str]] = {
    "no async": (lambda b: b.message()(plain), TypeError, "write `async def` .message"),
    "no async every": (lambda b: b.every(seconds=1)(plain), TypeError, "`async def` .every"),
    "no event": (lambda b: b.message()(nothing), TypeError, r"take \(event\) or \(event, ctx\)"),
    "three": (lambda b: b.updated()(three), TypeError, r"take \(event\) or \(event, ctx\), and"),
    "keyword": (lambda b: b.message()(keyword), TypeError, r"\*, more"),
    "no function": (lambda b: b.message()("x"), TypeError, "decorates an async function"),
    "no parentheses": (lambda b: b.message(good), TypeError, r"with parentheses \(good\)"),
    "no parentheses of updated": (lambda b: b.updated(good), TypeError, "with parentheses"),
    "no event's type": (lambda b: b.updated(Resync), TypeError, "types of events of conv"),
    "not a type": (lambda b: b.updated("done"), TypeError, "types of events of conv"),
    "pattern": (lambda b: b.message(b"x"), TypeError, "pattern as str"),
    "status": (lambda b: b.message(status="open"), ValueError, "assigned, done, unassigned"),
    "no inbox": (lambda b: b.message(inbox=[]), ValueError, "names nothing"),
    "inbox": (lambda b: b.message(inbox=[1]), TypeError, "inbox= takes a str"),
    "filter": (lambda b: b.message(filter=True), TypeError, "filter= takes a function"),
    "every 0": (lambda b: b.every(seconds=0), ValueError, "seconds="),
    "every x": (lambda b: b.every(seconds="1"), TypeError, "seconds= takes a number"),
    "older": (lambda b: b.unassigned(older_than_s=-1), ValueError, "older_than_s="),
    "wait": (lambda b: b.unassigned(older_than_s=1)(nothing), TypeError, r"\(conversation\)"),
    "ready": (lambda b: b.on_ready(good), TypeError, r"take \(\) or \(ctx\)"),
    "error": (lambda b: b.error(nothing), TypeError, r"take \(exception, event\)"),
    "middleware": (lambda b: b.middleware(good), TypeError, r"\(event, ctx, call_next\)"),
    "resync": (lambda b: b.on_resync(nothing), TypeError, r"\(resync\)"),
    "a bot": (lambda b: b.include(Bot()), TypeError, "takes a Router"),
    "twice": (included_twice, ValueError, "included already"),
    "circle": (in_a_circle, ValueError, "cannot include itself"),
    "itself": (lambda b: Router().include(b), TypeError, "takes a Router"),
    "client": (lambda b: Bot("http://127.0.0.1:1"), TypeError, "takes a batonbox.Client"),  # type: ignore[arg-type]
    "group": (lambda b: Bot(group=""), ValueError, "a group's name is"),
    "concurrency": (lambda b: Bot(concurrency=0), ValueError, "concurrency="),
    "drain": (lambda b: Bot(drain_s=-1), ValueError, "drain_s="),
    "retry": (lambda b: Bot(retry_s=float("inf")), ValueError, "retry_s="),
    "inboxes": (lambda b: Bot(inboxes=[]), ValueError, "inboxes= names nothing"),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_a_wrong_registration_is_refused(wrong: str) -> None:
    register, error, says = WRONG[wrong]
    with pytest.raises(error, match=says):
        register(Bot())


def test_decorators_return_the_function_unchanged() -> None:
    bot = Bot()

    async def no_arguments() -> None: ...
    async def of_error(exception: Exception, event: Any) -> None: ...
    async def around(event: Any, ctx: Any, call_next: Any) -> None: ...

    assert bot.message("x")(good) is good
    assert bot.updated(Assigned)(good) is good
    assert bot.unassigned(older_than_s=0)(good) is good
    assert bot.on_resync(good) is good
    assert bot.every(seconds=1)(no_arguments) is no_arguments
    assert bot.on_ready(no_arguments) is no_arguments
    assert bot.error(of_error) is of_error
    assert bot.middleware(around) is around


def test_methods_partials_and_callable_objects_are_functions_too() -> None:
    class Desk:
        async def answer(self, event: MessageReceived) -> None: ...

        async def __call__(self, event: MessageReceived) -> None: ...

    bot = Bot()
    bot.message()(Desk().answer)
    bot.message()(Desk())
    bot.message()(functools.partial(three, more=1))
    labels = [handler.label.partition(":")[2] for handler in bot._handlers()]
    name = test_methods_partials_and_callable_objects_are_functions_too.__name__
    assert labels == [f"{name}.<locals>.Desk.answer", f"{name}.<locals>.Desk", "three"]


@pytest.mark.parametrize(("spec", "name"), [(None, "my_bot"), ("desk.my_bot", "desk.my_bot")])
def test_a_handlers_name_is_the_same_run_as_a_program_and_imported(
    monkeypatch: pytest.MonkeyPatch, spec: str | None, name: str
) -> None:
    """`python my_bot.py`, `python -m desk.my_bot`, and `batonbox bot` of either."""
    main = ModuleType("__main__")
    main.__file__ = "/somewhere/my_bot.py"
    main.__spec__ = None if spec is None else ModuleSpec(spec, None)
    monkeypatch.setitem(sys.modules, "__main__", main)

    async def handler(event: MessageReceived) -> None: ...

    handler.__module__, handler.__qualname__ = "__main__", "handler"
    bot = Bot()
    bot.message()(handler)
    assert [each.label for each in bot._handlers()] == [f"{name}:handler"]


def test_a_bot_has_a_client_while_it_runs_only() -> None:
    with pytest.raises(RuntimeError, match="does not run"):
        _ = Bot(Client("http://127.0.0.1:1", "t")).client
