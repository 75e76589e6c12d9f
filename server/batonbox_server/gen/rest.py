"""docs/rest.md: the prose of docs/rest.in.md, and every endpoint of the OpenAPI document."""

from __future__ import annotations

import json
import re
from typing import Any, Final

from .openapi import openapi
from .tables import table

__all__ = ["rest_page"]

Json = dict[str, Any]
_LIMITS: Final = {
    "minLength": "≥ {} characters",
    "maxLength": "≤ {} characters",
    "minimum": "≥ {}",
    "maximum": "≤ {}",
    "maxItems": "≤ {} of them",
    "pattern": "matches `{}`",
}
# Answers that any endpoint may give; the prose tells of them once.
_COMMON: Final = frozenset({"400", "401", "413", "429", "500", "503"})


def rest_page(prose: str) -> str:
    """The page; `{{endpoints}}` in the prose is where they stand."""
    document = openapi()
    by_tag: dict[str, list[str]] = {tag["name"]: [] for tag in document["tags"]}
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            by_tag[operation["tags"][0]].append(_operation(document, method, path, operation))
    sections = (
        f"## {tag['name']}\n\n{tag['description']}\n\n{''.join(by_tag[tag['name']])}"
        for tag in document["tags"]
    )
    return prose.replace("{{endpoints}}", "".join(sections))


def _operation(document: Json, method: str, path: str, operation: Json) -> str:
    parts = [f"### {method.upper()} {path}", operation["summary"]]
    if not operation["security"]:
        parts[1] += " Nobody has to sign in."
    rows = [
        (f"`{p['name']}`", p["in"], _type(document, p["schema"], needed=p["required"]))
        for p in operation.get("parameters", [])
        if p["in"] == "query"
    ]
    body = operation.get("requestBody")
    if body is not None:
        kind, part = next(iter(body["content"].items()))
        if kind == "application/json":
            rows += _body(document, part["schema"])
        else:
            parts.append(f"The body is a file: {', '.join(f'`{k}`' for k in body['content'])}.")
    if rows:
        parts.append(table(("name", "in", "type"), rows))
    parts.append(_answers(document, operation))
    return "\n\n".join(parts) + "\n\n"


def _body(document: Json, schema: Json) -> list[tuple[str, str, str]]:
    shape = _resolve(document, schema)
    needed = shape.get("required", [])
    return [
        (f"`{name}`", "body", _type(document, part, needed=name in needed))
        for name, part in shape.get("properties", {}).items()
    ]


def _answers(document: Json, operation: Json) -> str:
    said = []
    for status, given in operation["responses"].items():
        if status in _COMMON and status != "200":
            continue
        answer = _resolve(document, given)
        content = answer.get("content", {})
        part = content.get("application/json", {}).get("schema")
        kind = _shown(document, part) if part else ", ".join(f"`{k}`" for k in content)
        slugs = _slugs(given)
        said.append(f"{status} {slugs or kind}".strip())
    return f"Answers: {'; '.join(said)}." if said else ""


def _slugs(given: Json) -> str:
    """The errors that a shared response stands for."""
    name = str(given.get("$ref", "")).rpartition("/")[2]
    return ", ".join(f"`{slug}`" for slug in name.split("-or-")) if name else ""


def _shown(document: Json, schema: Json) -> str:
    """What an answer holds: the names of its fields."""
    shape = _resolve(document, schema)
    names = list(shape.get("properties", {}))
    return f"{{{', '.join(f'`{name}`' for name in names)}}}" if names else ""


def _type(document: Json, schema: Json, *, needed: bool) -> str:
    words = [_kind(document, schema)]
    words += [says.format(schema[name]) for name, says in _LIMITS.items() if schema.get(name)]
    if not needed:
        default = schema.get("default")
        words.append("optional" if default in (None, "") else f"default `{json.dumps(default)}`")
    return ", ".join(words)


def _kind(document: Json, schema: Json) -> str:
    if "anyOf" in schema:
        return " or ".join(_kind(document, part) for part in schema["anyOf"])
    if "$ref" in schema:
        shape = _resolve(document, schema)
        if "properties" in shape:
            return f"{{{', '.join(f'`{name}`' for name in shape['properties'])}}}"
        return _kind(document, shape)
    if "enum" in schema:
        return "one of " + ", ".join(f"`{value}`" for value in schema["enum"])
    if schema.get("type") == "array":
        return f"list of {_kind(document, schema['items'])}"
    return str(schema.get("type", "any"))


def _resolve(document: Json, part: Json) -> Json:
    while "$ref" in part:
        target: Any = document
        for name in re.split("/", part["$ref"].removeprefix("#/")):
            target = target[name]
        part = target
    return part
