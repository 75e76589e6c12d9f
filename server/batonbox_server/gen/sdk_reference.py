"""docs/reference/sdk.md: what `import batonbox` offers, from its signatures and docstrings."""

from __future__ import annotations

import importlib
import inspect
import re
from collections.abc import Callable, Iterator
from enum import Enum
from types import ModuleType
from typing import Any, Final, ForwardRef

__all__ = ["sdk_page"]

_MODULES: Final = ("batonbox", "batonbox.testing")
_HEAD: Final = """\
# The SDK's API

What `import batonbox` offers, and `batonbox.testing` with it; `batonbox.sync` has the verbs of the
client, blocking, under the same names. Times are in seconds where a name ends with `_s`, and epoch
milliseconds where it ends with `_ms`. What is not here may change at any time.

"""
# In this order; a name that fits none of the earlier ones is of the last.
_SECTIONS: Final[tuple[tuple[str, Callable[[Any], bool]], ...]] = (
    ("Errors", lambda it: _is(it, Exception)),
    ("Events", lambda it: _is(it, _named("Event")) or it is _named("Event")),
    ("Values", lambda it: _is(it, Enum) or bool(_fields(it) and not _does(it))),
    ("Verbs", lambda _: True),
)
_ORDER: Final = ("Verbs", "Events", "Values", "Errors")


def sdk_page() -> str:
    """The page."""
    parts = [_HEAD]
    for name in _MODULES:
        module = importlib.import_module(name)
        if module is not _package():
            parts.append(f"## {name}\n\n{_prose(module)}\n\n")
            parts += [_entry(n, getattr(module, n)) for n in _public(module)]
            continue
        for section in _ORDER:
            parts.append(f"## {section}\n\n")
            parts += [
                _entry(n, getattr(module, n))
                for n in _public(module)
                if _section(getattr(module, n)) == section
            ]
    return "".join(parts)


def _package() -> ModuleType:
    return importlib.import_module("batonbox")


def _named(name: str) -> Any:
    return getattr(_package(), name)


def _is(it: Any, base: Any) -> bool:
    return isinstance(it, type) and isinstance(base, type) and issubclass(it, base)


def _does(it: Any) -> bool:
    return any(inspect.iscoroutinefunction(member) for member in vars(it).values())


def _section(it: Any) -> str:
    return next(name for name, fits in _SECTIONS if fits(it))


def _public(module: ModuleType) -> list[str]:
    return sorted((n for n in module.__all__ if not n.startswith("__")), key=str.lower)


def _entry(name: str, it: Any) -> str:
    if not isinstance(it, type):
        if inspect.isfunction(it):
            return f"### `{name}{_signature(it)}`\n\n{_prose(it)}\n\n"
        if _module_of(it).startswith("batonbox"):
            return f"### `{name}`\n\n{_prose(it)}\n\n"
        return f"### `{name}`\n\nA type: `{re.sub('[a-z_]+[.]', '', str(it))}`.\n\n"
    bases = [base.__name__ for base in it.__bases__ if hasattr(_package(), base.__name__)]
    under = f"A kind of {', '.join(f'`{b}`' for b in bases)}. " if bases else ""
    heading = f"{name}{_signature(it)}" if _section(it) == "Verbs" else name
    lines = [f"### `{heading}`\n\n{under}{_prose(it)}\n\n"]
    lines += _members(it)
    return "".join(lines)


def _module_of(it: Any) -> str:
    return type(it).__module__


def _members(of: type) -> Iterator[str]:
    found = []
    for name, member in _inherited(of).items():
        if name.startswith("_") or name in getattr(of, "__struct_fields__", ()):
            continue
        inner = getattr(member, "__func__", member)
        if isinstance(inner, property):
            found.append(f"- `{name}`{_dashed(inner.fget)}\n")
        elif inspect.isfunction(inner):
            word = "async " if inspect.iscoroutinefunction(inner) else ""
            found.append(f"- `{word}{name}{_signature(inner)}`{_dashed(inner)}\n")
    fields = _fields(of)
    if issubclass(of, Enum):
        fields = [f"`{member.name}`" for member in of]
    if fields:
        yield f"Fields: {', '.join(fields)}.\n\n"
    if found:
        yield from found
        yield "\n"


def _inherited(of: type) -> dict[str, Any]:
    """What a class has by itself, and by bases that have no entry of their own."""
    found: dict[str, Any] = {}
    for base in of.__bases__:
        if base.__module__.startswith("batonbox") and not hasattr(_package(), base.__name__):
            found |= _inherited(base)
    return found | vars(of)


def _fields(of: Any) -> list[str]:
    """Those that this class adds."""
    if not isinstance(of, type):
        return []
    return [
        f"`{name}: {_kind(kind)}`"
        for name, kind in inspect.get_annotations(of).items()
        if not name.startswith("_")
    ]


def _signature(of: Any) -> str:
    """Parameters and what is returned, the same whichever Python draws it."""
    try:
        signature = inspect.signature(of)
    except (TypeError, ValueError):
        return ""
    shown, star = [], False
    for parameter in signature.parameters.values():
        if parameter.name in {"self", "cls"}:
            continue
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY and not star:
            star = True
            shown.append("*")
        star |= parameter.kind is inspect.Parameter.VAR_POSITIONAL
        shown.append(_parameter(parameter))
    returned = signature.return_annotation
    plain = isinstance(of, type) or returned in (inspect.Signature.empty, None, "None")
    return f"({', '.join(shown)})" + ("" if plain else f" -> {_kind(returned)}")


def _parameter(parameter: inspect.Parameter) -> str:
    text = parameter.name
    if parameter.kind is inspect.Parameter.VAR_POSITIONAL:
        text = f"*{text}"
    elif parameter.kind is inspect.Parameter.VAR_KEYWORD:
        text = f"**{text}"
    if parameter.annotation is not inspect.Parameter.empty:
        text += f": {_kind(parameter.annotation)}"
    if parameter.default is not inspect.Parameter.empty:
        default = parameter.default
        plain = default is None or isinstance(default, str | int | float | bool | tuple)
        text += f" = {default!r}" if plain else " = …"
    return text


def _kind(annotation: Any) -> str:
    if isinstance(annotation, type):
        return str(annotation.__name__)
    if isinstance(annotation, ForwardRef):
        return annotation.__forward_arg__
    return str(annotation).removeprefix("typing.")


def _prose(of: Any) -> str:
    """A docstring, cleaned; generated ones of data classes say nothing."""
    text = inspect.cleandoc(of.__doc__ or "")
    return "" if text.startswith(f"{getattr(of, '__name__', '')}(") else text


def _dashed(of: Any) -> str:
    text = " ".join(_prose(of).split())
    return f": {text}" if text else ""
