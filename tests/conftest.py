"""Fixtures that every suite may use: a real engine, and a key prefix of its own for each test."""

from __future__ import annotations

import asyncio
import gc
import os
import random
import sys
import uuid
import warnings
from collections.abc import AsyncIterator, Generator, Iterator
from itertools import chain, groupby
from pathlib import Path

import pytest

from batonbox_server.engine import EmbeddedEngine
from batonbox_server.store.engine import Engine
from batonbox_server.store.topology import engine_of
from tests.engines import binary, shared
from tests.postgres import Cluster, cluster

_QUICK = Path(__file__).with_name("unit")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Each worker's share, an equal part of the list, ends with what takes no time.

    Else who has a long one last is waited for. Before that, files that compute are mixed with files
    that wait, in an order that is always the same.
    """
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    if workers == 1:
        return
    files = [list(tests) for _, tests in groupby(items, key=lambda item: item.path)]
    random.Random(0).shuffle(files)
    slow = [tests for tests in files if not tests[0].path.is_relative_to(_QUICK)]
    quick = [tests for tests in files if tests[0].path.is_relative_to(_QUICK)]
    shares = [list(chain(*slow[worker::workers])) for worker in range(workers)]
    for tests in sorted(quick, key=len, reverse=True):
        min(shares, key=len).extend(tests)
    items[:] = chain(*shares)


@pytest.hookimpl(trylast=True)
def pytest_collection_finish() -> None:
    """What is loaded by now stays: later collections look only at what tests have made."""
    gc.collect()
    gc.freeze()


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> Generator[None]:
    """Whatever a test leaves open fails that test, not the one during which it would be found."""
    yield
    sys.last_value = sys.last_traceback = None  # the frames of a test that failed
    if isinstance(item, pytest.Function):
        item.funcargs.clear()  # what was shared until here is not held by its last test
    if nextitem is None:
        gc.unfreeze()  # what was shared by all, too
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        gc.collect()
    if nextitem is None or nextitem.path != item.path:
        gc.freeze()  # what a file's tests share has ended: whatever is alive stays
    left = "\n".join(str(warning.message) for warning in found)
    assert not left, f"left open by this test:\n{left}"


@pytest.fixture(scope="session")
def engine_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """One engine per worker, or one site of engines; see `tests.engines`."""
    with asyncio.Runner() as runner:
        engine = shared(tmp_path_factory.mktemp("engine"))
        try:
            runner.run(engine.start())
            yield engine.url
        finally:
            runner.run(engine.stop())


@pytest.fixture
async def engine(tmp_path: Path) -> AsyncIterator[EmbeddedEngine]:
    """An engine of the test's own, supervised by the test's loop: it may be killed or frozen."""
    engine = EmbeddedEngine(tmp_path / "data", binary=binary())
    await engine.start()
    try:
        yield engine
    finally:
        await engine.stop()


@pytest.fixture
async def client(engine_url: str) -> AsyncIterator[Engine]:
    """A connected client of the shared engine."""
    client = engine_of(engine_url)
    await client.connect()
    try:
        yield client
    finally:
        await client.aclose()


@pytest.fixture(scope="session")
def postgres() -> Iterator[Cluster]:
    """One PostgreSQL per worker; each test takes a `schema()` of its own."""
    with cluster() as it:
        yield it


@pytest.fixture
def prefix() -> str:
    """A key prefix nobody else uses."""
    return f"t{uuid.uuid4().hex[:12]}:"
