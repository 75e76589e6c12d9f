"""What is right by the model is right by `batonbox-server verify`, in every state it comes to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from batonbox_server.archive.sqlite import SqliteArchive
from batonbox_server.store.archive_port import Archive
from batonbox_server.store.directory_port import OrgState, User
from batonbox_server.store.keys import Keys
from batonbox_server.store.verifying import VerifyingReads
from batonbox_server.verify.findings import Report
from batonbox_server.verify.inboxes import Inboxes
from tests.model.archived_stories import rare_paths
from tests.model.archived_world import archived_world
from tests.model.conftest import Bench
from tests.model.scenarios import SCENARIOS
from tests.model.timed import TIMED
from tests.model.world import USERS, World, fresh_world


async def verified(world: World, archive: Archive) -> Report:
    """The world's inbox against itself; nobody has left it."""
    report = Report()

    async def state() -> OrgState:
        users = {name: User(name, name, world.model.members[name].role) for name in USERS
                 if name in world.model.members}  # fmt: skip
        return OrgState("e", 0, "", users, {}, {})

    async def none() -> dict[str, object]:
        return {}

    async def idle(_: str) -> bool:
        return False

    reads = VerifyingReads(world.client, keys=Keys("m"), hurry=True)
    inboxes = Inboxes(reads, archive, report, state=state, hooks=none, busy=idle)
    assert await inboxes.check_alone(world.name)
    return report


@pytest.fixture
def archive(bench: Bench, tmp_path: Path) -> Iterator[Archive]:
    """A file of SQLite's."""
    archive = SqliteArchive(tmp_path / "archive.sqlite")
    yield archive
    bench.runner.run(archive.aclose())


@pytest.mark.parametrize("scenario", [*TIMED, *SCENARIOS], ids=lambda s: s.__name__)
def test_nothing_is_found_in_what_the_model_allows(
    bench: Bench, archive: Archive, scenario: Callable[[World], object]
) -> None:
    async def play() -> Report:
        world = fresh_world(bench.client, bench.scripts, Counter())
        await world.open()
        await scenario(world)  # type: ignore[misc]
        return await verified(world, archive)

    report = bench.runner.run(play())
    assert list(report.findings) == []
    assert report.checked["events"]


def test_nothing_is_found_in_what_is_archived(bench: Bench, archive: Archive) -> None:
    async def play() -> Report:
        world = archived_world(bench.client, bench.scripts, Counter(), archive)
        await world.open()
        await rare_paths(world)
        return await verified(world, archive)

    report = bench.runner.run(play())
    assert list(report.findings) == []
    assert report.checked["conversations"]
