"""Runs a page's piece of Python that is no program of its own: `python fragment.py FILE`.

It finds `client` (who is signed in as agent1), `conv` (a conversation of theirs), `message` (the
last one in it), `bot` and `router` there; a loop whose body is `...` ends with its first turn.
"""

from __future__ import annotations

import ast
import asyncio
import inspect
import json
import os
import sys
import urllib.request
from pathlib import Path
from types import CodeType
from typing import Any, Final

import batonbox

__all__ = ["NAMES", "is_fragment"]

NAMES: Final = frozenset({"bot", "client", "conv", "message", "router"})
_LONGEST_S: Final = 20.0
_CUSTOMER, _OURS = "+14165550142", "+14165550100"


class _Once(ast.NodeTransformer):
    def _leave(self, node: ast.AST) -> ast.AST:
        self.generic_visit(node)
        match node:
            case (
                ast.For(body=[ast.Expr(ast.Constant(value))])
                | ast.AsyncFor(body=[ast.Expr(ast.Constant(value))])
            ) if value is ...:
                node.body = [ast.copy_location(ast.Break(), node.body[0])]
        return node

    visit_For = visit_AsyncFor = _leave  # noqa: N815


def is_fragment(code: str) -> bool:
    """Whether it awaits outside of functions, or uses a name of `NAMES` that it does not make."""
    tree = ast.parse(code)
    names = [node for node in ast.walk(tree) if isinstance(node, ast.Name)]
    used = {name.id for name in names if isinstance(name.ctx, ast.Load)}
    made = {name.id for name in names if isinstance(name.ctx, ast.Store)}
    made |= {node.arg for node in ast.walk(tree) if isinstance(node, ast.arg)}
    return bool((used - made) & NAMES) or bool(_compiled(code).co_flags & inspect.CO_COROUTINE)


def _compiled(code: str) -> CodeType:
    tree = ast.fix_missing_locations(_Once().visit(ast.parse(code)))
    made: CodeType = compile(tree, "the page", "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    return made


async def _run(code: str) -> None:
    async with asyncio.timeout(_LONGEST_S), batonbox.Client() as client:
        scope = await _scope(client)
        running = eval(_compiled(code), scope)  # what it is is what the page says
        if inspect.isawaitable(running):
            await running


async def _scope(client: batonbox.Client) -> dict[str, Any]:
    texting = asyncio.to_thread(_texts, {"from": _CUSTOMER, "to": _OURS, "text": "hello"})
    conv = await client.conversation(await texting)
    await conv.claim()
    await conv.reply("a picture", media=[Path("plan.png")])
    return {
        "asyncio": asyncio,
        "batonbox": batonbox,
        "client": client,
        "conv": conv,
        "message": (await conv.history())[-1],
        "bot": batonbox.Bot(),
        "router": batonbox.Router(),
        "Path": Path,
    }


def _texts(message: dict[str, str]) -> str:
    """A customer writes; the conversation."""
    asked = urllib.request.Request(
        os.environ["BATONBOX_URL"] + "/v1/loopback/inbound",
        data=json.dumps(message).encode(),
        headers={"authorization": f"Bearer {os.environ['BATONBOX_TOKEN']}"},
    )
    with urllib.request.urlopen(asked, timeout=_LONGEST_S) as answer:
        return str(json.load(answer)["conv"])


if __name__ == "__main__":
    asyncio.run(_run(Path(sys.argv[1]).read_text(encoding="utf-8")))
