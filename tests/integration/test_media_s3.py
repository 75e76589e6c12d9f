"""Files in a bucket: two nodes share them, and what breaks there is said."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from batonbox_server.config import ConfigError
from batonbox_server.store.media_port import Missing
from batonbox_server.store.media_s3 import S3Files
from tests.integration.media_harness import PNG, got, mine, upload, uploaded
from tests.ports import free_port
from tests.served import Served, served

BUCKET = "batonbox-test"


@pytest.fixture
async def s3(tmp_path: Path) -> AsyncIterator[dict[str, Any]]:
    """What speaks S3, in a process of its own, with an empty bucket; as settings."""
    pytest.importorskip("moto")
    url = f"http://127.0.0.1:{(port := free_port())}"
    with (tmp_path / "s3.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port),
            stdout=log, stderr=log,
        )  # fmt: skip
    try:
        async with asyncio.timeout(60), httpx2.AsyncClient(base_url=url) as http:
            while True:
                try:
                    assert (await http.put(f"/{BUCKET}")).status_code == 200
                    break
                except httpx2.TransportError:
                    assert process.returncode is None, (tmp_path / "s3.log").read_text()
                    await asyncio.sleep(0.1)
        yield {
            "media_url": f"s3://{BUCKET}/files", "media_s3_endpoint": url,
            "media_s3_region": "us-east-1", "media_s3_key_id": "key", "media_s3_secret": "secret",
        }  # fmt: skip
    finally:
        process.terminate()
        await process.wait()


async def names(s3: dict[str, Any]) -> int:
    """How many files are in the bucket."""
    async with httpx2.AsyncClient(base_url=s3["media_s3_endpoint"]) as http:
        listed = await http.get(f"/{BUCKET}", params={"list-type": "2"})
        assert listed.status_code == 200
        return listed.text.count("<Key>")


def test_a_bucket_that_cannot_be_meant_is_refused() -> None:
    for url in ("https://example.org/x", "s3://", "nonsense"):
        with pytest.raises(ValueError, match="s3://"):
            S3Files(url)


async def test_settings_name_what_is_wrong(engine_url: str, prefix: str) -> None:
    with pytest.raises(ConfigError, match="BATONBOX_MEDIA_URL"):
        async with served(engine_url, prefix, media_url="gs://bucket"):
            raise AssertionError("it must not start")


async def test_files_are_shared_by_nodes_and_erased(
    engine_url: str, prefix: str, s3: dict[str, Any]
) -> None:
    async with served(engine_url, prefix, **s3) as one:
        conv = await mine(one)
        media, unsent = await uploaded(one), await uploaded(one)
        assert await names(s3) == 2
        assert (await one.act("agent1", conv, "reply", text="", media=[media])).is_success
        async with served(engine_url, prefix, empty=True, **s3) as two:
            assert (await got(two, conv, 3)).content == PNG
            part = await got(two, conv, 3, range="bytes=1-3")
            assert (part.status_code, part.content) == (206, b"PNG")
        await _age(one, unsent)
        while await one.node.media_worker.erase_some():
            pass
        assert await names(s3) == 1


async def test_a_bucket_that_is_away_is_said_and_nothing_is_half_kept(
    engine_url: str, prefix: str, s3: dict[str, Any]
) -> None:
    away = {**s3, "media_url": "s3://no-such-bucket"}
    async with served(engine_url, prefix, **away) as site:
        answer = await upload(site, PNG)
        assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
        assert "secret" not in answer.text
    files = S3Files(
        s3["media_url"], endpoint=s3["media_s3_endpoint"], region="us-east-1",
        key_id="key", secret="secret",
    )  # fmt: skip
    with pytest.raises(Missing):
        await files.read("0" * 32, begin=0, end=4)
    await files.erase("0" * 32)  # nothing to erase, and no fault
    with pytest.raises(ValueError, match="not an id"):
        await files.write("../../x", PNG)


async def _age(site: Served, media: str) -> None:
    await site.node.client.execute("ZADD", f"{site.node.keys.org}:media_new", "XX", 1, media)
