"""A conversation as a page to print: one file, no script, nothing from elsewhere, all escaped."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Mapping
from html import escape
from typing import Any, Final

from .export_words import NOTE_WORDS, SAID

__all__ = ["PAGE_POLICY", "foot_of", "head_of", "lines_of"]

_STYLE: Final = """
body{font:14px/1.45 system-ui,sans-serif;color:#1a1a1a;background:#fff;max-width:46rem;margin:2rem auto;padding:0 1rem}
h1{font-size:1.3rem;margin:0}dl{display:grid;grid-template-columns:max-content 1fr;gap:.1rem .8rem;margin:.8rem 0 1.5rem}
dt{color:#555}dd{margin:0}
.line{margin:.5rem 0;padding:.5rem .7rem;border-radius:.5rem;border:1px solid #ccc;break-inside:avoid;width:fit-content;max-width:85%}
.in{background:#f3f3f3}.out{background:#e8f0fe;margin-left:auto}.note{background:#fff6d6;border-style:dashed}
.head{font-size:.85em;color:#444}.text{white-space:pre-wrap;overflow-wrap:anywhere;margin:.15rem 0 0}
.files{font-size:.85em;margin:.2rem 0 0;padding-left:1.2rem}
.divider{text-align:center;font-size:.85em;color:#444;margin:.9rem 0;border-top:1px solid #bbb;padding-top:.3rem}
footer{margin-top:2rem;border-top:1px solid #bbb;padding-top:.5rem;font-size:.85em;color:#444}
@media print{body{margin:0;max-width:none}}
"""  # noqa: E501 - a style sheet
_DIGEST: Final = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
# What an answer that carries the page says besides; it says so itself where it was saved.
PAGE_POLICY: Final = (
    f"default-src 'none'; style-src 'sha256-{_DIGEST}'; base-uri 'none'; form-action 'none'"
)


def head_of(title: str, facts: Iterable[tuple[str, str]]) -> str:
    """The page's beginning: what it is about."""
    rows = "".join(f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in facts)
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="content-security-policy" content="{escape(PAGE_POLICY)}">'
        '<meta name="viewport" content="width=device-width"><meta name="robots" content="noindex">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head>"
        f"<body><h1>{escape(title)}</h1><dl>{rows}</dl><main>\n"
    )


def lines_of(lines: Iterable[Mapping[str, Any]]) -> str:
    """Lines as `export_thread` tells them: {kind, at, by, words, text, state, files}."""
    return "".join(map(_line, lines))


def foot_of(said: str) -> str:
    """The page's end, by which one sees that it is whole."""
    return f"</main><footer>{escape(said)}</footer></body></html>\n"


def _line(line: Mapping[str, Any]) -> str:
    when = f'<time datetime="{escape(line["instant"])}">{escape(line["at"])}</time>'
    if line["kind"] not in SAID:
        return f'<p class="divider">{escape(line["words"])} · {when}</p>\n'
    side = {"received": "in", "posted": "in", "noted": "note"}.get(line["kind"], "out")
    who = " · ".join(escape(part) for part in _who(line) if part)
    files = "".join(f"<li>{escape(name)}</li>" for name in line["files"])
    listed = f'<ul class="files">{files}</ul>' if files else ""
    text = f'<p class="text" dir="auto">{escape(line["text"])}</p>' if line["text"] else ""
    return f'<article class="line {side}"><div class="head">{who} · {when}</div>{text}{listed}</article>\n'  # noqa: E501


def _who(line: Mapping[str, Any]) -> tuple[str, str, str]:
    what = {"noted": NOTE_WORDS, "answered": "Automatic answer"}.get(line["kind"], "")
    return what, line["by"], line["state"]
