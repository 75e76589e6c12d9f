"""What of an OpenAPI document would break a client of an earlier one; pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

__all__ = ["breaking"]

Json = dict[str, Any]


def breaking(old: Json, new: Json) -> list[str]:
    """One sentence for each break; additions are none.

    Names removed paths and methods, parameters and request fields that became required or were
    removed, removed answers and answer fields, changed types.
    """
    return list(_paths(_Pair(old, new)))


class _Pair:
    """Two documents, each with its own references; a pair of schemas is compared once."""

    def __init__(self, old: Json, new: Json) -> None:
        self._old, self._new = old, new
        self._met: set[tuple[str, str, bool]] = set()

    def resolved(self, old: Json, new: Json) -> tuple[Json, Json]:
        """Both without a leading reference."""
        return _follow(self._old, old), _follow(self._new, new)

    def first(self, old: Json, new: Json, *, asked: bool) -> bool:
        """Whether this pair of references was not compared before: schemas may be recursive."""
        if "$ref" not in old or "$ref" not in new:
            return True
        key = old["$ref"], new["$ref"], asked
        if key in self._met:
            return False
        self._met.add(key)
        return True

    @property
    def paths(self) -> tuple[Json, Json]:
        """The paths of both."""
        return self._old["paths"], self._new["paths"]


def _follow(document: Json, part: Json) -> Json:
    while "$ref" in part:
        target: Any = document
        for name in part["$ref"].removeprefix("#/").split("/"):
            target = target[name]
        part = target
    return part


def _paths(pair: _Pair) -> Iterator[str]:
    old, new = pair.paths
    for path, methods in old.items():
        if path not in new:
            yield f"{path}: the path is gone"
            continue
        for method, operation in methods.items():
            where = f"{method.upper()} {path}"
            if method not in new[path]:
                yield f"{where}: the method is gone"
            else:
                yield from _operation(pair, where, operation, new[path][method])


def _operation(pair: _Pair, where: str, old: Json, new: Json) -> Iterator[str]:
    yield from _parameters(pair, where, old.get("parameters", []), new.get("parameters", []))
    yield from _bodies(pair, where, old.get("requestBody"), new.get("requestBody"))
    if not old["security"] and new["security"]:
        yield f"{where}: one has to sign in now"
    for status, answer in old["responses"].items():
        if not status.startswith("2"):
            continue
        if status not in new["responses"]:
            yield f"{where}: the answer {status} is gone"
        else:
            yield from _contents(
                pair, f"{where} {status}", answer, new["responses"][status], asked=False
            )


def _parameters(pair: _Pair, where: str, old: list[Json], new: list[Json]) -> Iterator[str]:
    was = {(p["in"], p["name"]): p for p in old}
    now = {(p["in"], p["name"]): p for p in new}
    for key, parameter in was.items():
        name = " ".join(key)
        if key not in now:
            yield f"{where}: the parameter {name} is gone"
        else:
            here = f"{where} parameter {name}"
            yield from _schema(pair, here, parameter["schema"], now[key]["schema"], asked=True)
    for key, parameter in now.items():
        if parameter["required"] and not was.get(key, {}).get("required"):
            yield f"{where}: the parameter {' '.join(key)} is required now"


def _bodies(pair: _Pair, where: str, old: Json | None, new: Json | None) -> Iterator[str]:
    if old is None:
        if new is not None and new["required"]:
            yield f"{where}: a body is required now"
    elif new is None:
        yield f"{where}: it takes no body any more"
    else:
        if new["required"] and not old["required"]:
            yield f"{where}: a body is required now"
        yield from _contents(pair, f"{where} body", old, new, asked=True)


def _contents(pair: _Pair, where: str, old: Json, new: Json, *, asked: bool) -> Iterator[str]:
    old, new = pair.resolved(old, new)
    for media, part in old.get("content", {}).items():
        if media not in new.get("content", {}):
            yield f"{where}: {media} is gone"
        else:
            there = new["content"][media]["schema"]
            yield from _schema(pair, where, part["schema"], there, asked=asked)


def _schema(pair: _Pair, where: str, old: Json, new: Json, *, asked: bool) -> Iterator[str]:
    """`asked`: clients send it, else they read it."""
    if not pair.first(old, new, asked=asked):
        return
    old, new = pair.resolved(old, new)
    was, now = _types(pair, old, new)
    if (was - now) if asked else (now - was):
        yield f"{where}: its type changed from {_words(was)} to {_words(now)}"
        return
    yield from _values(where, old, new, asked=asked)
    yield from _fields(pair, where, old, new, asked=asked)
    if isinstance(old.get("items"), dict) and isinstance(new.get("items"), dict):
        yield from _schema(pair, f"{where}[]", old["items"], new["items"], asked=asked)


def _types(pair: _Pair, old: Json, new: Json) -> tuple[set[str], set[str]]:
    """The types each allows; an unlimited one is `any`."""

    def of(schema: Json, side: int) -> set[str]:
        schema = pair.resolved(schema, {})[0] if side == 0 else pair.resolved({}, schema)[1]
        if "anyOf" in schema:
            return set().union(*(of(part, side) for part in schema["anyOf"]))
        given = schema.get("type", "string" if "enum" in schema else "any")
        return set(given) if isinstance(given, list) else {given}

    return of(old, 0), of(new, 1)


def _words(types: set[str]) -> str:
    return " or ".join(sorted(types))


def _values(where: str, old: Json, new: Json, *, asked: bool) -> Iterator[str]:
    """What may be sent must stay allowed; what may be read is allowed to grow."""
    if asked and "enum" in old:
        for value in old["enum"]:
            if value not in new.get("enum", [value]):
                yield f"{where}: {value!r} is not taken any more"


def _fields(pair: _Pair, where: str, old: Json, new: Json, *, asked: bool) -> Iterator[str]:
    was, now = old.get("properties", {}), new.get("properties", {})
    for name, schema in was.items():
        if name not in now:
            yield f"{where}: the field {name} is gone"
        else:
            yield from _schema(pair, f"{where}.{name}", schema, now[name], asked=asked)
    before, after = set(old.get("required", [])), set(new.get("required", []))
    if asked:
        yield from (f"{where}: the field {n} is required now" for n in sorted(after - before))
    else:
        gone = sorted((before - after) & now.keys())
        yield from (f"{where}: the field {n} may be missing now" for n in gone)
