"""The engine's client and subscriber, against a real engine that is killed, cut and frozen."""

from __future__ import annotations

import asyncio
import os
import signal
from typing import Any

import pytest
from redis.exceptions import NoScriptError, ResponseError

from batonbox_server.engine import EmbeddedEngine
from batonbox_server.errors import EngineUnavailable, EngineUnsuitable, OutcomeUnknown
from batonbox_server.store.connect import EngineClient
from batonbox_server.store.plain import NOT_YET, PlainReader, pack_command
from batonbox_server.store.pubsub import Subscriber
from batonbox_server.store.suitable import judge
from tests.engines import ON_CLUSTER
from tests.support import eventually

pytestmark = pytest.mark.skipif(ON_CLUSTER, reason="the client of one server: see test_cluster.py")


class Heard:
    """What a subscriber's owner was told, in order."""

    def __init__(self, url: str) -> None:
        self.messages: list[tuple[bytes, bytes]] = []
        self.lost = 0
        self.up = 0
        self.subscriber = Subscriber(
            url,
            on_message=lambda channel, data: self.messages.append((channel, data)),
            on_lost=self._on_lost,
            on_up=self._on_up,
        )

    def _on_lost(self) -> None:
        self.lost += 1

    def _on_up(self) -> None:
        self.up += 1


async def test_commands_of_one_tick_keep_their_order(client: EngineClient, prefix: str) -> None:
    key = prefix + "list"
    calls = [client.execute("RPUSH", key, n) for n in range(1000)]
    assert await asyncio.gather(*calls) == list(range(1, 1001))
    kept: list[bytes] = await client.execute("LRANGE", key, 0, -1)
    assert [int(n) for n in kept] == list(range(1000))


async def test_commands_of_one_tick_leave_in_few_writes(client: EngineClient, prefix: str) -> None:
    async def reads() -> int:
        info: bytes = await client.execute("INFO", "stats")
        fields = dict(line.split(":", 1) for line in info.decode().splitlines() if ":" in line)
        return int(fields["total_reads_processed"])

    before = await reads()
    await asyncio.gather(*(client.execute("INCR", prefix + "n") for _ in range(500)))
    # 500 commands of ~45 bytes; the engine reads 16 KiB at a time.
    assert await reads() - before <= 8


async def test_an_error_reply_concerns_only_its_command(client: EngineClient, prefix: str) -> None:
    await client.execute("SET", prefix + "s", "text")
    answers: list[object] = await asyncio.gather(
        client.execute("GET", prefix + "s"),
        client.execute("LPUSH", prefix + "s", 1),
        client.execute("EVALSHA", "0" * 40, 0),
        client.execute("GET", prefix + "s"),
        return_exceptions=True,
    )
    good, wrong, missing, after = answers
    assert (good, after) == (b"text", b"text")
    assert isinstance(wrong, ResponseError)
    assert isinstance(missing, NoScriptError)


async def test_a_cancelled_wait_leaves_other_replies_in_place(
    client: EngineClient, prefix: str
) -> None:
    calls = [client.execute("INCR", prefix + "n") for _ in range(100)]
    for call in calls[::3]:
        call.cancel()
    answers = await asyncio.gather(*calls, return_exceptions=True)
    got = [n for n in answers if isinstance(n, int)]
    assert got == [n + 1 for n in range(100) if n % 3]
    assert await client.execute("GET", prefix + "n") == b"100"


async def test_more_than_the_bound_in_flight_is_refused_unsent(
    engine_url: str, prefix: str
) -> None:
    client = EngineClient(engine_url, max_in_flight=10)
    await client.connect()
    calls = [client.execute("INCR", prefix + "n") for _ in range(10)]
    with pytest.raises(EngineUnavailable, match="overloaded"):
        client.execute("INCR", prefix + "n")
    assert (await asyncio.gather(*calls))[-1] == 10
    assert await client.execute("GET", prefix + "n") == b"10"
    await client.aclose()


async def test_a_killed_connection_makes_outcomes_unknown_and_comes_back(
    client: EngineClient, engine_url: str, prefix: str
) -> None:
    states: list[bool] = []
    victim = EngineClient(engine_url, on_state=states.append)
    await victim.connect()
    victim_id = await victim.execute("CLIENT", "ID")
    # Blocks the victim's connection, so that the command is in flight when it is cut.
    waiting = victim.execute("BLPOP", prefix + "never", 30)
    await victim_blocked(client, victim_id)
    behind = victim.execute("INCR", prefix + "n")
    await client.execute("CLIENT", "KILL", "ID", victim_id)
    for call in (waiting, behind):
        with pytest.raises(OutcomeUnknown):
            await call
    await eventually(lambda: victim.state, what="the reconnect")
    assert await victim.execute("PING") == b"PONG"
    assert states == [True, False, True]
    await victim.aclose()
    assert states == [True, False, True, False]


async def victim_blocked(client: EngineClient, client_id: int) -> None:
    async with asyncio.timeout(10):
        while b" flags=b" not in await client.execute("CLIENT", "LIST", "ID", client_id):
            await asyncio.sleep(0.01)


async def test_a_frozen_engine_is_noticed_and_recovered_from(engine: EmbeddedEngine) -> None:
    client = EngineClient(engine.url, command_timeout_s=0.5)
    await client.connect()
    heard = Heard(engine.url)
    await heard.subscriber.connect()
    await heard.subscriber.subscribe(b"ch")
    now_s = asyncio.get_running_loop().time
    os.kill(engine.pid, signal.SIGSTOP)
    began_s = now_s()
    try:
        with pytest.raises(OutcomeUnknown):
            await client.execute("PING")
        assert now_s() - began_s < 1.5
        with pytest.raises(EngineUnavailable):
            client.execute("PING")
        await eventually(lambda: heard.lost == 1, timeout_s=4, what="the subscriber's loss")
    finally:
        os.kill(engine.pid, signal.SIGCONT)
    await eventually(lambda: client.state, what="the reconnect")
    assert await client.execute("PING") == b"PONG"
    await eventually(lambda: heard.up == 2, what="the subscriber's return")
    await heard.subscriber.aclose()
    await client.aclose()


async def test_messages_arrive_in_order_after_the_acknowledgement(
    client: EngineClient, engine_url: str, prefix: str
) -> None:
    heard, channel = Heard(engine_url), prefix.encode()
    await heard.subscriber.connect()
    await heard.subscriber.subscribe(channel)
    receivers = await asyncio.gather(*(client.execute("SPUBLISH", channel, n) for n in range(500)))
    assert receivers == [1] * 500
    await eventually(lambda: len(heard.messages) >= 500, what="500 messages")
    assert heard.messages == [(channel, b"%d" % n) for n in range(500)]
    await heard.subscriber.unsubscribe(channel)
    assert await client.execute("SPUBLISH", channel, "late") == 0
    assert (heard.up, heard.lost) == (1, 0)
    await heard.subscriber.aclose()
    assert heard.lost == 0


async def test_a_killed_subscription_is_reported_and_restored(engine: EmbeddedEngine) -> None:
    client = EngineClient(engine.url)
    await client.connect()
    heard = Heard(engine.url)
    await heard.subscriber.connect()
    for channel in (b"a", b"b", b"given-back"):
        await heard.subscriber.subscribe(channel)
    await heard.subscriber.unsubscribe(b"given-back")
    for kills in (1, 2):
        assert await client.execute("CLIENT", "KILL", "TYPE", "pubsub") == 1
        await eventually(lambda: heard.up == kills + 1, what="on_up")  # noqa: B023
        assert heard.lost == kills
        assert await client.execute("SPUBLISH", "a", kills) == 1
        assert await client.execute("SPUBLISH", "b", kills) == 1
        assert await client.execute("SPUBLISH", "given-back", kills) == 0
    expected = [(b"a", b"1"), (b"b", b"1"), (b"a", b"2"), (b"b", b"2")]
    await eventually(lambda: len(heard.messages) >= 4, what="4 messages")
    assert heard.messages == expected
    await heard.subscriber.aclose()
    await client.aclose()


async def test_a_subscriber_without_channels_comes_back_and_closes(
    client: EngineClient, engine_url: str
) -> None:
    heard = Heard(engine_url)
    await heard.subscriber.connect()
    own_id: int = await client.execute("CLIENT", "ID")
    listed: bytes = await client.execute("CLIENT", "LIST")
    newest = max(int(line.split()[0][3:]) for line in listed.splitlines())
    assert newest > own_id
    assert await client.execute("CLIENT", "KILL", "ID", newest) == 1
    await eventually(lambda: heard.up == 2, what="on_up")
    async with asyncio.timeout(2):
        await heard.subscriber.aclose()
    assert heard.lost == 1


async def test_a_callback_that_raises_does_not_cost_the_connection(
    client: EngineClient, engine_url: str, prefix: str
) -> None:
    got: list[bytes] = []

    def on_message(_channel: bytes, data: bytes) -> None:
        got.append(data)
        if data == b"bad":
            raise ValueError(data)

    lost: list[None] = []
    subscriber = Subscriber(
        engine_url, on_message=on_message, on_lost=lambda: lost.append(None), on_up=lambda: None
    )
    await subscriber.connect()
    await subscriber.subscribe(prefix.encode())
    for data in ("bad", "good"):
        await client.execute("SPUBLISH", prefix, data)
    await eventually(lambda: got == [b"bad", b"good"], what="both messages")
    assert lost == []
    await subscriber.aclose()


async def test_an_engine_that_evicts_is_refused_with_the_remedy(engine: EmbeddedEngine) -> None:
    client = EngineClient(engine.url)
    await client.connect()
    await client.execute("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
    with pytest.raises(EngineUnsuitable, match="CONFIG SET maxmemory-policy noeviction"):
        await EngineClient(engine.url).connect()
    await client.aclose()


@pytest.mark.parametrize(
    ("info", "accepted"),
    [
        ("redis_version:6.2.14", False),
        ("redis_version:7.0.15", True),
        ("redis_version:7.2.4\r\nserver_name:valkey\r\nvalkey_version:7.2.5", True),
        ("redis_version:7.2.4\r\nvalkey_version:7.1.9", False),
        ("redis_version:8.2.0", True),
    ],
)
def test_old_engines_are_refused(info: str, *, accepted: bool) -> None:
    if accepted:
        assert judge(info, policy="noeviction").version in info
    else:
        with pytest.raises(EngineUnsuitable, match="Upgrade it"):
            judge(info, policy=None)


@pytest.mark.parametrize("address", ["unix:///nowhere/engine.sock", "redis://127.0.0.1:1"])
async def test_an_unreachable_engine_is_an_error_with_the_remedy(address: str) -> None:
    with pytest.raises(EngineUnavailable, match="BATONBOX_REDIS_URL"):
        await EngineClient(address).connect()


async def test_a_wrong_password_is_an_error(engine_url: str) -> None:
    path = engine_url.partition("@")[2]
    with pytest.raises(EngineUnsuitable, match=r"(?i)password"):
        await EngineClient(f"unix://:wrong@{path}").connect()


WIRE = b"+OK\r\n:7\r\n$3\r\na\r\n\r\n$-1\r\n*2\r\n*1\r\n$0\r\n\r\n*-1\r\n-NOSCRIPT gone\r\n*0\r\n"


@pytest.mark.parametrize("size", [1, 2, 3, 7, len(WIRE)])
def test_the_plain_reader_agrees_however_the_bytes_are_cut(size: int) -> None:
    reader, got = PlainReader(ResponseError), []
    for at in range(0, len(WIRE), size):
        reader.feed(WIRE[at : at + size])
        while (reply := reader.gets()) is not NOT_YET:
            got.append(reply)
    error = got.pop(5)
    assert got == [b"OK", 7, b"a\r\n", None, [[b""], None], []]
    assert isinstance(error, ResponseError)
    assert str(error) == "NOSCRIPT gone"


def test_the_plain_packer_agrees_with_hiredis() -> None:
    import hiredis

    args: Any = ("SET", b"\x00\xff", 12, 1.5, "é")
    assert pack_command(args) == hiredis.pack_command(args)


async def test_without_the_fast_extra_everything_still_works(
    engine_url: str, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("batonbox_server.store.resp.hiredis", None)
    monkeypatch.setattr("batonbox_server.store.outgoing.pack", pack_command)
    client = EngineClient(engine_url)
    await client.connect()
    calls = [client.execute("RPUSH", prefix, "x" * 3000) for _ in range(300)]
    assert await asyncio.gather(*calls) == list(range(1, 301))
    assert len(await client.execute("LRANGE", prefix, 0, -1)) == 300
    await client.aclose()
