"""The blocking client: the names of the asynchronous one, for threads that wait."""

from __future__ import annotations

import asyncio
import inspect
import random
import signal
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import pytest

import batonbox
from batonbox import AlreadyAssigned, ConnectionLost, sync
from batonbox.testing import LocalServer
from tests.sdk.scripted import Script

OTHERWISE = {"aclose": "close"}
PAIRS = [
    (batonbox.Client, sync.Client),
    (batonbox.Conversation, sync.Conversation),
    (batonbox.Room, sync.Room),
    (batonbox.Viewing, sync.Viewing),
]


def public(kind: type) -> dict[str, Any]:
    """What users may call or read, by name."""
    found = {name: getattr(kind, name) for name in dir(kind) if not name.startswith("_")}
    return {name: each for name, each in found.items() if name not in {"id", "conv", "url"}}


@pytest.mark.parametrize(("asynchronous", "blocking"), PAIRS, ids=lambda kind: kind.__name__)
def test_names_and_parameters_are_those_of_the_asynchronous_one(
    asynchronous: type, blocking: type
) -> None:
    theirs, ours = public(asynchronous), public(blocking)
    assert {OTHERWISE.get(name, name) for name in theirs} == set(ours)
    for name, each in theirs.items():
        mine = ours[OTHERWISE.get(name, name)]
        if isinstance(each, property):
            assert isinstance(mine, property)
            assert mine.__doc__
            continue
        assert not inspect.iscoroutinefunction(mine)
        assert [
            (p.name, p.kind, p.default) for p in inspect.signature(each).parameters.values()
        ] == [(p.name, p.kind, p.default) for p in inspect.signature(mine).parameters.values()], (
            name
        )


def test_every_event_with_a_handle_has_one_that_blocks() -> None:
    for name in batonbox.__all__:
        kind = getattr(batonbox, name)
        if not (isinstance(kind, type) and issubclass(kind, batonbox.Event)):
            continue
        handled = {"conversation", "room"} & {
            field for base in kind.__mro__ for field in getattr(base, "__annotations__", {})
        }
        if handled:
            twin = getattr(sync, name)
            assert twin.__bases__[0] is kind
            assert twin.__doc__ == kind.__doc__


def received(events: sync.EventStream, text: str) -> sync.MessageReceived:
    """The message with this text."""
    while True:
        event = events.next(10)
        if isinstance(event, sync.MessageReceived) and event.text == text:
            return event


def drained(events: sync.EventStream) -> None:
    """Read until nothing comes any more."""
    while True:
        try:
            events.next(0.05)
        except TimeoutError:
            return


def test_a_conversation_from_the_first_message_to_the_last(
    batonbox_server: LocalServer, batonbox_client: sync.Client
) -> None:
    customer = batonbox_server.customer()
    with batonbox_client.events(sync.MessageReceived, inbox="sales") as events:
        conv = customer.says("Is it ready?")
        event = received(events, "Is it ready?")
        assert isinstance(event, batonbox.MessageReceived)
    handle = event.conversation
    assert (handle.id, handle.inbox) == (conv, "sales")
    assert conv in repr(handle)
    handle.claim()
    handle.claim()  # it is mine already
    assert handle.reply("Come by any time.") == 3
    customer.wait_for("Come by any time.")
    handle.note("was friendly", ["agent2"])
    assert [m.text for m in handle.history() if m.text] == [
        "Is it ready?",
        "Come by any time.",
        "was friendly",
    ]
    with handle.viewing() as view:
        view.typing()
        assert view.is_typing
    mine = [each.id for each in batonbox_client.conversations(view="mine", page_rows=1)]
    assert conv in mine
    handle.done()
    assert handle.refresh().status == "done"
    assert batonbox_client.conversation(conv).now.status == "done"
    assert batonbox_client.confirm_writes() > 0


def test_rooms_and_latest_values(
    batonbox_server: LocalServer, batonbox_client: sync.Client
) -> None:
    room = batonbox_client.open_dm("agent2")
    with (
        batonbox_server.sync_client("agent2") as other,
        other.events(sync.Posted, rooms=True) as events,
        other.room_totals() as totals,
    ):
        room.post("hello Bo")
        posted = events.next(10)
        assert isinstance(posted, sync.Posted)
        assert (posted.text, posted.room.id) == ("hello Bo", room.id)
        while not any(t.room == room.id and t.unread for t in [totals.next(10)]):
            pass
        assert posted.room.seen()
        posted.room.post("hello Ana")
    assert [line.text for line in room.history() if line.text] == ["hello Bo", "hello Ana"]
    with batonbox_client.badges() as badges:
        assert badges.next(10).inbox in {"sales", "support"}


def test_what_comes_after_a_timeout_is_the_next_value(
    batonbox_server: LocalServer, batonbox_client: sync.Client
) -> None:
    customer = batonbox_server.customer()
    with batonbox_client.events(sync.MessageReceived, inbox="sales") as events:
        for text in ("first", "second"):
            drained(events)
            customer.says(text)
            assert received(events, text).text == text
    with pytest.raises(EOFError):
        events.next(10)
    assert list(events) == []


def test_threads_share_a_client_and_one_of_all_claims_wins(
    batonbox_server: LocalServer, batonbox_client: sync.Client
) -> None:
    conv = batonbox_server.customer().says("who?")
    with (
        batonbox_server.sync_client("agent2") as other,
        ThreadPoolExecutor(16) as threads,
    ):
        clients = [batonbox_client, other] * 8
        handles = [client.conversation(conv) for client in clients]
        won = list(threads.map(lambda handle: handle.try_claim(), handles))
        winner = handles[0].refresh().assignee
        assert won == [(client.user.id == winner) for client in clients]
        with pytest.raises(AlreadyAssigned) as refused:
            handles[won.index(False)].claim()
    assert refused.value.by == winner


def test_threads_that_share_a_stream_get_each_event_once(
    batonbox_server: LocalServer,
) -> None:
    customer = batonbox_server.customer()
    with (
        batonbox_server.sync_client("agent2") as client,
        client.events(sync.MessageReceived, inbox="support") as events,
        ThreadPoolExecutor(4) as threads,
    ):
        reading = [threads.submit(lambda: [events.next(30), events.next(30)]) for _ in range(4)]
        for number in range(8):
            customer.says(str(number), to="+14165550101")
        texts = [e.text for r in reading for e in r.result() if isinstance(e, sync.MessageReceived)]
    assert sorted(texts) == [str(number) for number in range(8)]


def test_ctrl_c_interrupts_what_blocks_and_loses_no_event(
    batonbox_server: LocalServer, batonbox_client: sync.Client
) -> None:
    assert threading.current_thread() is threading.main_thread()
    main = threading.main_thread().ident
    assert main is not None

    with batonbox_client.events(sync.MessageReceived, inbox="sales") as events:
        drained(events)

        def press() -> None:
            while events._turn.acquire(blocking=False):  # nobody waits yet
                events._turn.release()
            signal.pthread_kill(main, signal.SIGINT)

        pressing = threading.Thread(target=press)
        pressing.start()
        with pytest.raises(KeyboardInterrupt):
            next(events)
        pressing.join()
        conv = batonbox_server.customer().says("after Ctrl-C")
        assert received(events, "after Ctrl-C").conversation.id == conv


def test_ctrl_c_in_the_middle_of_anything_locks_nothing_and_loses_no_event(
    batonbox_server: LocalServer, batonbox_client: sync.Client
) -> None:
    rng, before = random.Random(7), signal.signal(signal.SIGALRM, signal.default_int_handler)
    customer = batonbox_server.customer()
    with batonbox_client.events(sync.MessageReceived, inbox="sales") as events:
        drained(events)
        try:
            for number in range(4000):
                with suppress(KeyboardInterrupt, TimeoutError):
                    try:
                        signal.setitimer(signal.ITIMER_REAL, rng.uniform(1e-5, 4e-4))
                        events.next(0.02)
                    finally:
                        signal.setitimer(signal.ITIMER_REAL, 0)
                if number % 500 == 0:
                    assert batonbox_client.inboxes()
        finally:
            signal.signal(signal.SIGALRM, before)
        customer.says("after all of them")
        received(events, "after all of them")


async def test_it_works_where_a_loop_runs_as_in_a_notebook(batonbox_server: LocalServer) -> None:
    with batonbox_server.sync_client("agent1") as client:
        assert client.user.id == "agent1"


def test_a_token_provider_may_block_and_may_not_be_asynchronous(
    batonbox_server: LocalServer,
) -> None:
    threads: list[threading.Thread] = []

    def token() -> str:
        threads.append(threading.current_thread())
        return batonbox_server.token("agent1")

    with sync.Client(batonbox_server.url, token) as client:
        assert client.user.id == "agent1"
    assert threads[0] is not threading.current_thread()
    assert threads[0].name != "batonbox-sync"

    async def asynchronous() -> str:
        return ""

    with pytest.raises(TypeError, match="plain function"):
        sync.Client(batonbox_server.url, asynchronous)  # type: ignore[arg-type]


def test_a_call_from_its_own_thread_is_refused_instead_of_waiting_for_ever(
    batonbox_client: sync.Client,
) -> None:
    with pytest.raises(RuntimeError, match="own thread"):
        batonbox_client._call(batonbox_client.inboxes)


def test_before_and_after_its_time_it_says_so(batonbox_server: LocalServer) -> None:
    client = batonbox_server.sync_client("agent1")
    with pytest.raises(ConnectionLost, match="open the client first"):
        client.inboxes()
    with client, client.events() as events:
        waiting = threading.Thread(target=lambda: ended.append(list(events)))
        ended: list[list[batonbox.Event]] = []
        waiting.start()
        client.close()
        waiting.join(10)
        assert len(ended) == 1  # its loop has ended
    with pytest.raises(ConnectionLost, match="was closed"):
        client.inboxes()
    client.close()
    assert client.state == "stopped"


def test_a_server_that_is_not_there_leaves_no_thread_behind() -> None:
    before = threading.active_count()
    with pytest.raises(ConnectionLost), sync.Client("http://127.0.0.1:9", "t", timeout_s=0.2):
        pass
    assert threading.active_count() == before


FORKS = """
import os, sys
from batonbox import sync
client = sync.Client(sys.argv[1], "t").__enter__()
child = os.fork()
if child == 0:
    try:
        client.inboxes()
    except RuntimeError as error:
        print(error, flush=True)
    sys.exit(0)
assert os.waitpid(child, 0)[1] == 0
assert [inbox.id for inbox in client.inboxes()] == ["sales"]
"""


async def test_a_fork_is_refused_and_an_end_without_close_says_goodbye(script: Script) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", FORKS, script.url, stdout=asyncio.subprocess.PIPE
    )
    peer = await script.next()
    await peer.welcome()
    assert await peer.closed == 1000
    told, _ = await process.communicate()
    assert process.returncode == 0
    assert b"make a client of its own in each process" in told
