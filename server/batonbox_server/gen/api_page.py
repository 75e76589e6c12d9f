"""The API's reference as one page of plain HTML, from its OpenAPI document; without scripts."""

from __future__ import annotations

import html
import json
import re
from typing import Any, Final

__all__ = ["STYLE", "api_page"]

Json = dict[str, Any]
STYLE: Final = """
:root { color-scheme: light dark; --line: #8884; --soft: #8882; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 0 auto; padding: 1rem; }
nav ul { columns: 16rem; padding-left: 1.2rem; }
section > h2 { border-bottom: 1px solid var(--line); padding-top: 1rem; }
article { border: 1px solid var(--line); border-radius: .4rem; padding: 0 1rem; margin: 1rem 0; }
h3 { font: 600 1rem/1.5 ui-monospace, monospace; overflow-wrap: anywhere; }
h4 { margin: .6rem 0 .2rem; }
code, pre { font: .875rem/1.5 ui-monospace, monospace; }
code { background: var(--soft); padding: .1em .3em; border-radius: .2em; }
pre { background: var(--soft); padding: .6rem; border-radius: .3rem; white-space: pre-wrap;
  overflow-wrap: anywhere; }
table { border-collapse: collapse; width: 100%; margin: .3rem 0 1rem; }
th, td { text-align: left; vertical-align: top; padding: .25rem .6rem .25rem 0; }
tr { border-top: 1px solid var(--line); }
"""
_LIMITS: Final = ("minLength", "maxLength", "minimum", "maximum", "maxItems", "pattern", "default")


def api_page(document: Json) -> str:
    """The page; it names its stylesheet `/docs/api.css`."""
    by_tag: dict[str, list[str]] = {tag["name"]: [] for tag in document["tags"]}
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            by_tag[operation["tags"][0]].append(_operation(document, method, path, operation))
    sections = "".join(
        f'<section id="{_anchor(tag["name"])}"><h2>{html.escape(tag["name"])}</h2>'
        f"<p>{_text(tag['description'])}</p>{''.join(by_tag[tag['name']])}</section>\n"
        for tag in document["tags"]
    )
    contents = "".join(
        f'<li><a href="#{_anchor(name)}">{html.escape(name)}</a> ({len(rows)})</li>'
        for name, rows in by_tag.items()
    )
    info = document["info"]
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>batonbox API</title>'
        '<meta name="viewport" content="width=device-width">'
        '<link rel="stylesheet" href="/docs/api.css"></head>\n<body>'
        f"<header><h1>batonbox API {html.escape(info['version'])}</h1>"
        f"<p>{_text(info['description'])}</p><p>For programs: "
        "<a href='/openapi.json'>OpenAPI 3.1</a> (HTTP), <a href='/asyncapi.json'>AsyncAPI 3</a>"
        " (websocket).</p></header>\n"
        f'<nav aria-label="Contents"><ul>{contents}</ul></nav>\n<main>{sections}'
        f"<section id='shapes'><h2>Shapes</h2>{_shapes(document)}</section></main></body></html>\n"
    )


def _operation(document: Json, method: str, path: str, operation: Json) -> str:
    parts = [
        f'<article id="{operation["operationId"]}"><h3>{method.upper()} {html.escape(path)}</h3>',
        f"<p>{_text(operation['summary'])}",
        "</p>" if operation["security"] else " Nobody has to sign in.</p>",
        _parameters(operation),
    ]
    body = operation.get("requestBody")
    if body is not None:
        kind, part = next(iter(body["content"].items()))
        shown = f"<p>A file: {html.escape(', '.join(body['content']))}.</p>"
        if kind == "application/json":
            shown = _fields(document, part["schema"])
        parts.append(f"<h4>Body</h4>{shown}")
    parts += [_answers(document, operation), _example(document, method, path, operation)]
    return "".join(parts) + "</article>\n"


def _parameters(operation: Json) -> str:
    rows = [
        (p["name"], f"{p['in']}, {_kind(p['schema'])}{'' if p['required'] else ', optional'}",
         p.get("description", ""))
        for p in operation.get("parameters", [])
    ]  # fmt: skip
    return f"<h4>Parameters</h4>{_table(rows)}" if rows else ""


def _fields(document: Json, schema: Json) -> str:
    shape = _resolve(document, schema)
    needed = shape.get("required", [])
    rows = [
        (name, _kind(part) + ("" if name in needed else ", optional"), "")
        for name, part in shape.get("properties", {}).items()
    ]
    return _table(rows) if rows else f"<p>{_kind(schema)}</p>"


def _table(rows: list[tuple[str, str, str]]) -> str:
    lines = "".join(
        f'<tr><th scope="row"><code>{html.escape(name)}</code></th><td>{kind}</td>'
        f"<td>{_text(says)}</td></tr>"
        for name, kind, says in rows
    )
    return f"<table>{lines}</table>"


def _answers(document: Json, operation: Json) -> str:
    rows = []
    for status, given in operation["responses"].items():
        answer = _resolve(document, given)
        content = answer.get("content", {})
        media, part = next(iter(content.items()), ("", {"schema": {}}))
        kind = _kind(part["schema"]) if media in {"application/json", "text/plain"} else ""
        rows.append((status, kind or "", answer["description"]))
    return f"<h4>Answers</h4>{_table(rows)}"


def _example(document: Json, method: str, path: str, operation: Json) -> str:
    words = [f"curl -X {method.upper()} $BATONBOX_URL{path}"]
    if operation["security"]:
        words.append("-H 'Authorization: Bearer '$BATONBOX_TOKEN")
    body = operation.get("requestBody")
    if body is not None:
        kind, part = next(iter(body["content"].items()))
        if kind == "application/json":
            words.append(f"-d '{json.dumps(_sample(document, part['schema']))}'")
        else:
            words.append(f"-H 'Content-Type: {kind}' --data-binary @file")
    return f"<h4>Example</h4><pre>{html.escape(' '.join(words))}</pre>"


def _sample(document: Json, schema: Json) -> Any:
    """A value of the schema: what is required, in the smallest form."""
    shape = _resolve(document, schema)
    if "anyOf" in shape:
        return _sample(document, shape["anyOf"][0])
    if "enum" in shape:
        return shape["enum"][0]
    if shape.get("type") == "object":
        needed = shape.get("required", [])
        return {n: _sample(document, shape["properties"][n]) for n in needed}
    simple: Json = {"integer": 1, "number": 1, "boolean": True, "array": []}
    return simple.get(shape.get("type", ""), "...")


def _shapes(document: Json) -> str:
    return "".join(
        f'<article id="shape-{name}"><h3>{html.escape(name)}</h3>'
        f"<p>{_text(shape.get('description', ''))}</p>{_fields(document, shape)}</article>\n"
        for name, shape in document["components"]["schemas"].items()
    )


def _kind(schema: Json) -> str:
    """The type in words, as HTML."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f'<a href="#shape-{name}">{html.escape(name)}</a>'
    if "anyOf" in schema:
        return " or ".join(_kind(part) for part in schema["anyOf"])
    if "enum" in schema:
        return "one of " + ", ".join(f"<code>{html.escape(str(v))}</code>" for v in schema["enum"])
    if schema.get("type") == "array":
        return f"list of {_kind(schema['items'])}{_limits(schema)}"
    return html.escape(str(schema.get("type", "any"))) + _limits(schema)


def _limits(schema: Json) -> str:
    return "".join(
        f", {name} <code>{html.escape(json.dumps(schema[name]))}</code>"
        for name in _LIMITS
        if schema.get(name) is not None
    )


def _resolve(document: Json, part: Json) -> Json:
    while "$ref" in part:
        target: Any = document
        for name in part["$ref"].removeprefix("#/").split("/"):
            target = target[name]
        part = target
    return part


def _anchor(name: str) -> str:
    return re.sub(r"\W+", "-", name.lower())


def _text(says: str) -> str:
    """Prose with `code`, as HTML."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", html.escape(says, quote=False))
