"""The SDK's blocking verbs, written from the asynchronous ones, whose names and types they have."""

from __future__ import annotations

import ast
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Final

__all__ = ["blocking_events", "blocking_verbs"]

_HEADER: Final = "# Generated from the asynchronous client by `make gen`; edits are lost.\n"
_WIDTH: Final = 100
# What begins and ends a client stands in `sync/_base.py`.
_BY_HAND: Final = frozenset({"aclose"})

# How the answer of a call is shown, by its type: the type it has then, and the expression.
_SHOWN: Final = {
    "Conversation": ("Conversation", "Conversation(self._portal, {})"),
    "Room": ("Room", "Room(self._portal, {})"),
    "list[Room]": ("list[Room]", "[Room(self._portal, each) for each in {}]"),
    "Viewing": ("Viewing", "Viewing(self._portal, {})"),
    "Mapping[str, str]": ("Mapping[str, str]", "dict({})"),
    "Mapping[str, Presence]": ("Mapping[str, Presence]", "dict({})"),
}
_EVENTS: Final = (
    "AbstractContextManager[EventStream]",
    "entered(self._portal, {}, _shown(self._portal))",
)
_ITERATED: Final = {
    "Conversation": "Stream(self._portal, {}, lambda each: Conversation(self._portal, each))",
}
_SAME: Final = "Stream(self._portal, {}, lambda each: each)"

_VERBS_BEGIN: Final = '''"""Conversation, Room and Client, blocking."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Any

from batonbox._conversation import Conversation as AsyncConversation
from batonbox._events import ConversationEvent, Event
from batonbox._models import (
    Badge,
    Dur,
    Inbox,
    Message,
    Position,
    Presence,
    Present,
    Row,
    State,
    User,
)
from batonbox._room import Room as AsyncRoom
from batonbox._room_events import RoomEvent
from batonbox._room_models import Channel, Contact, Found, RoomRow, RoomTotals, RoomVersion
from batonbox.sync._base import ClientBase, Handle, Viewing
from batonbox.sync._portal import Portal
from batonbox.sync._streams import EventStream, Stream, entered
from batonbox.sync._twins import plain, twin

__all__ = ["Client", "Conversation", "Room"]


def _shown(portal: Portal) -> Callable[[Event], Event]:
    def blocking(value: Any) -> Any:
        if isinstance(value, AsyncConversation):
            return Conversation(portal, value)
        return Room(portal, value) if isinstance(value, AsyncRoom) else value

    return lambda event: twin(event, blocking)
'''

_EVENTS_BEGIN: Final = '''"""Events whose handles block; their bases are those of `batonbox`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from batonbox import _events, _room_events

if TYPE_CHECKING:
    from batonbox.sync._mirror import Conversation, Room
'''


def blocking_verbs(sdk: Path) -> str:
    """The text of `batonbox/sync/_mirror.py`; `sdk` is the folder of `batonbox`."""
    parts = [
        _class(sdk, "Conversation", "Handle[AsyncConversation]", ["_conversation.py"], has_id=True),
        _class(sdk, "Room", "Handle[AsyncRoom]", ["_room.py"], has_id=True),
        _class(sdk, "Client", "ClientBase", ["_calls.py", "_room_verbs.py", "_client.py"]),
    ]
    return _HEADER + _VERBS_BEGIN + "".join(f"\n\n{part}" for part in parts)


def blocking_events(sdk: Path) -> str:
    """The text of `batonbox/sync/_events.py`: those that have a handle, and their heirs."""
    classes: dict[str, str] = {}
    for module, handle in (("_events", "conversation"), ("_room_events", "room")):
        # Dataclasses have the fields of those above them, for type checkers too.
        says = f"    {handle}: {handle.title()}  # type: ignore[assignment]\n"
        for found in _classes(sdk / f"{module}.py"):
            bases = [base.id for base in found.bases if isinstance(base, ast.Name)]
            above = [base for base in bases if base in classes]
            if above or _declares(found, handle):
                head = f"class {found.name}({', '.join([f'{module}.{found.name}', *above])}):\n"
                slots = "\n    __slots__ = ()\n"
                classes[found.name] = head + _docstring(found, 4) + slots
                classes[found.name] += says if found.decorator_list else ""
    exported = "".join(f'    "{name}",\n' for name in sorted(classes))
    begin = f"{_HEADER}{_EVENTS_BEGIN}\n__all__ = [\n{exported}]\n"
    return begin + "".join(f"\n\n{each}" for each in classes.values())


def _declares(found: ast.ClassDef, name: str) -> bool:
    fields = [each.target for each in found.body if isinstance(each, ast.AnnAssign)]
    return any(isinstance(field, ast.Name) and field.id == name for field in fields)


def _classes(path: Path) -> Iterator[ast.ClassDef]:
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.ClassDef):
            yield node


def _class(sdk: Path, name: str, base: str, files: list[str], *, has_id: bool = False) -> str:
    methods: dict[str, str] = {}
    words = ""
    for file in files:
        source = (sdk / file).read_text(encoding="utf-8")
        (found,) = (node for node in _classes(sdk / file) if not node.name.startswith("_"))
        if found.name == name:
            words = _docstring(found, 4)
        for node in found.body:
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                public = not node.name.startswith("_") and node.name not in _BY_HAND
                if public:
                    methods[node.name] = _method(node, source)
    first = ["    __slots__ = ()\n"]
    if has_id:
        first.append(
            '    @property\n    def id(self) -> str:\n        """Its id."""\n'
            "        return self._its.id\n"
        )
    return f"class {name}({base}):\n{words}\n" + "\n".join([*first, *methods.values()])


def _docstring(node: ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef, indent: int) -> str:
    text = ast.get_docstring(node) or ""
    for asynchronous in ("async with", "async for"):
        text = text.replace(asynchronous, asynchronous.removeprefix("async "))
    if "\n" in text:
        text += "\n"
    return textwrap.indent(f'"""{text}"""\n', " " * indent, lambda line: line.strip() != "")


def _method(node: ast.FunctionDef | ast.AsyncFunctionDef, source: str) -> str:
    decorators = {ast.unparse(each) for each in node.decorator_list}
    if decorators - {"property", "asynccontextmanager"}:
        raise ValueError(f"{node.name}: {decorators} has no blocking counterpart yet")
    call, params = _call(node, source)
    returned = ast.get_source_segment(source, node.returns) if node.returns else None
    if returned is None:
        raise ValueError(f"{node.name} says not what it returns")
    its = f"self._its.{node.name}{call}"
    type_, value = _answer(node, decorators, its, returned)
    head = _fitting(f"    def {node.name}(", params, f") -> {type_}:")
    if "property" in decorators:
        head = "    @property\n" + head
    return head + _docstring(node, 8) + _body(value, its, returns=type_ != "None")


def _answer(
    node: ast.FunctionDef | ast.AsyncFunctionDef, decorators: set[str], its: str, returned: str
) -> tuple[str, str]:
    """Its type and the expression that gives it."""
    if returned in {"AsyncIterator[EventStream]", "AbstractAsyncContextManager[EventStream]"}:
        return _EVENTS[0], _EVENTS[1].format(its)
    if returned.startswith("AsyncGenerator[") and returned.endswith(", None]"):
        of = returned.removeprefix("AsyncGenerator[").removesuffix(", None]")
        return f"Stream[{of}]", _ITERATED.get(of, _SAME).format(its)
    if "Async" in returned or "asynccontextmanager" in decorators:
        raise ValueError(f"{node.name}: {returned} has no blocking counterpart yet")
    type_, show = _SHOWN.get(returned, (returned, "{}"))
    if isinstance(node, ast.AsyncFunctionDef):
        return type_, show.format(f"self._run({its})")
    if show == "{}" and its.endswith("()"):
        return type_, f"self._call({its.removesuffix('()')})"
    return type_, f"self._call(lambda: {show.format(its)})"


def _call(node: ast.FunctionDef | ast.AsyncFunctionDef, source: str) -> tuple[str, list[str]]:
    """The arguments handed on, and the parameters as they stand."""
    spec = node.args
    params, given = ["self"], []
    plain = spec.args[1:]
    defaults = [None] * (len(plain) - len(spec.defaults)) + list(spec.defaults)
    for arg, default in zip(plain, defaults, strict=True):
        params.append(_param(arg, default, source))
        given.append(arg.arg)
    if spec.vararg is not None:
        params.append("*" + _param(spec.vararg, None, source))
        given.append(f"*plain({spec.vararg.arg})")
    elif spec.kwonlyargs:
        params.append("*")
    for arg, default in zip(spec.kwonlyargs, spec.kw_defaults, strict=True):
        params.append(_param(arg, default, source))
        given.append(f"{arg.arg}={arg.arg}")
    called = "" if any(ast.unparse(d) == "property" for d in node.decorator_list) else None
    return (f"({', '.join(given)})" if called is None else ""), params


def _param(arg: ast.arg, default: ast.expr | None, source: str) -> str:
    type_ = ast.get_source_segment(source, arg.annotation) if arg.annotation else "Any"
    text = f"{arg.arg}: {type_}"
    return text + (f" = {ast.get_source_segment(source, default)}" if default else "")


def _fitting(begin: str, params: list[str], end: str) -> str:
    """On one line, or each parameter on its own: as the formatter has it."""
    line = f"{begin}{', '.join(params)}{end}\n"
    shadow = "  # noqa: A002" if any(each.startswith("type:") for each in params) else ""
    if len(line) <= _WIDTH + 1 and not shadow:
        return line
    rows = [
        f"        {each}{'' if each == params[-1] and each.startswith('**') else ','}"
        + (shadow if each.startswith("type:") else "")
        for each in params
    ]
    return f"{begin}\n" + "\n".join(rows) + f"\n    {end}\n"


def _body(value: str, its: str, *, returns: bool) -> str:
    begin = "        return " if returns else "        "
    line = f"{begin}{value}\n"
    if len(line) <= _WIDTH + 1:
        return line
    work = f"        work = {its}\n"
    if len(work) > _WIDTH + 1:
        at = its.index("(") + 1
        work = f"        work = {its[:at]}\n            {its[at:-1]}\n        )\n"
    return f"{work}{begin}{value.replace(its, 'work')}\n"
