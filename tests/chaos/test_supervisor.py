"""The supervisor and workers that do not do what they are asked: hung, stuck, or not to be started.

It runs in the test with its waits cut short; its workers are processes as ever.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from structlog.testing import capture_logs

from batonbox_server.config import ConfigError, load
from batonbox_server.engine import EmbeddedEngine
from batonbox_server.listeners import listen
from batonbox_server.node import Organisation
from batonbox_server.signals import Stop
from batonbox_server.workers import supervisor as module
from batonbox_server.workers.process import Start
from batonbox_server.workers.supervisor import Supervisor
from tests.support import eventually

START_S = 60.0


class Site(SimpleNamespace):
    """A supervisor of two workers, at work."""

    supervisor: Supervisor
    running: asyncio.Task[None]

    @property
    def pids(self) -> list[int]:
        """Of those that serve."""
        return [worker.pid for worker in self.supervisor.serving]

    async def rolled(self) -> None:
        """Until the rolling restart has ended, one way or the other."""
        rolling = self.supervisor._rolling
        assert rolling is not None
        await asyncio.wait_for(asyncio.shield(rolling), START_S)


@pytest.fixture
async def site(
    tmp_path: Path, engine: EmbeddedEngine, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Site]:
    """Two workers on an engine of the test's own."""
    for name, seconds in {"_LATE_S": 0.1, "_MARGIN_S": 0.5, "_ASK_S": 2.0}.items():
        monkeypatch.setattr(module, name, seconds)
    given = {"redis_url": engine.url, "data_dir": str(tmp_path), "port": 0}
    settings = load({}, **given)
    organisation = Organisation(settings)
    try:
        await organisation.open()
    finally:
        await organisation.close()
    listeners = listen(settings, count=2)
    first = Start(
        number=0, listeners=[listener.fileno() for listener in listeners], overrides=given,
        engine_url="", demo=False, links="", supervisor="nobody.sock",
    )  # fmt: skip
    supervisor, stop = Supervisor(first, count=2, folder=tmp_path, drain_s=0.5), Stop()
    try:
        await supervisor.start()
        running = asyncio.get_running_loop().create_task(supervisor.run(stop))
        await eventually(lambda: supervisor._runs, timeout_s=START_S, what="the first accepting")
        yield Site(supervisor=supervisor, running=running)
        stop.set()
        await asyncio.wait([running], timeout=START_S)
        assert running.done()
        running.exception()  # of the test that is about it
    finally:
        await supervisor.aclose()
        for listener in listeners:
            listener.close()


async def test_a_worker_that_answers_nothing_is_killed_and_replaced(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = site.pids
    monkeypatch.setattr(module, "_HUNG_S", 2.0)
    os.kill(before[0], signal.SIGSTOP)
    try:
        await eventually(lambda: len(set(site.pids) - {before[0]}) == 2, timeout_s=START_S)
    finally:
        if before[0] in site.pids:
            os.kill(before[0], signal.SIGCONT)
    assert site.supervisor.deaths[0] >= 1


async def test_a_worker_that_does_not_leave_is_killed(site: Site) -> None:
    before, stuck = site.pids, site.supervisor.serving[0]
    stuck.signal(signal.SIGSTOP)
    site.supervisor.roll()
    await site.rolled()
    ended = stuck.ended.is_set()
    stuck.signal(signal.SIGKILL)
    assert ended
    assert len(site.pids) == 2
    assert not set(site.pids) & set(before)
    assert site.supervisor.deaths == [0, 0], "it was asked to end"


async def test_a_release_that_does_not_start_leaves_the_old_one_serving(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = site.pids
    monkeypatch.setenv("BATONBOX_SEARCH_INDEX", "nowhere")
    with capture_logs() as told:
        site.supervisor.roll()
        await site.rolled()
    assert site.pids == before
    stopped = [entry["worker"] for entry in told if entry["event"] == "rolling_restart_stopped"]
    assert stopped == [0], "the other was not tried"
    monkeypatch.delenv("BATONBOX_SEARCH_INDEX")
    site.supervisor.roll()
    await eventually(lambda: site.pids[0] != before[0], timeout_s=START_S)
    between = site.pids[0]
    site.supervisor.roll()  # asked for meanwhile: of those replaced already, too
    await site.rolled()
    assert len(site.pids) == 2
    assert not {*before, between} & set(site.pids)


async def test_a_server_ends_that_cannot_start_any_worker_more(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_TRIES", 2)
    monkeypatch.setenv("BATONBOX_SEARCH_INDEX", "nowhere")
    for pid in site.pids:
        os.kill(pid, signal.SIGKILL)
    with pytest.raises(ConfigError, match="BATONBOX_SEARCH_INDEX must be auto"):
        await asyncio.wait_for(asyncio.shield(site.running), START_S)
