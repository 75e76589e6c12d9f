"""What docs/webhooks.md says is what happens: its receiver is run, its settings exist."""

from __future__ import annotations

import asyncio
import json
import os
import re
import sys
from dataclasses import fields
from pathlib import Path

from batonbox_server.config import Settings
from batonbox_server.domain.hook_events import EVENTS
from tests.integration.hooks_harness import hook_on, hooks_of, telling
from tests.pages import fences, page
from tests.ports import free_port

PAGE = page("docs/webhooks.md")


async def test_the_receiver_of_the_page_receives(
    engine_url: str, prefix: str, tmp_path: Path
) -> None:
    ((_, code),) = fences(PAGE, "python")
    script = tmp_path / "receiver.py"
    script.write_text(code, encoding="utf-8")
    port = free_port()
    async with telling(engine_url, prefix) as site:
        url = f"http://127.0.0.1:{port}/in"
        hook = await hook_on(site, url, events=["message.received"])
        environ = {**os.environ, "WEBHOOK_SECRET": hook["secret"], "PORT": str(port)}
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            script,
            env=environ,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
        assert process.stdout is not None
        try:
            await site.texts("hello")
            async with asyncio.timeout(20):
                told = json.loads(await process.stdout.readline())
            assert (told["type"], told["message"]["text"]) == ("message.received", "hello")
            unsigned = await site.http.post(
                url,
                json={},
                headers={
                    "webhook-id": "x",
                    "webhook-timestamp": "1",
                    "webhook-signature": "v1,nothing",
                },
            )
            assert unsigned.status_code == 401
        finally:
            process.terminate()
            await process.wait()
            process._transport.close()  # type: ignore[attr-defined]
        (listed,) = await hooks_of(site)
        assert listed["last_delivery_at"] is not None


def test_the_page_knows_every_setting_and_no_other_event() -> None:
    named = {
        f"BATONBOX_{f.name.upper()}" for f in fields(Settings) if f.name.startswith("webhooks")
    }
    assert named == set(re.findall(r"^\| `(BATONBOX_\w+)`", PAGE, re.MULTILINE))
    told = set(re.findall(r"`((?:message|conversation|note|member)\.\w+)`", PAGE))
    assert told - {"message.direction", "message.media"} <= EVENTS.keys()
