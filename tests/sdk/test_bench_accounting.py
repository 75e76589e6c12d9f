"""The bench's client notices whatever is lost, doubled or out of order, and fails for it."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import msgpack  # type: ignore[import-untyped]
import pytest

from batonbox import ConnectionLost, ProtocolError, Unauthorized
from batonbox._wire import Op
from batonbox.bench import (
    Account,
    Address,
    Audience,
    Commander,
    Digests,
    Lean,
    Refused,
    Run,
    Subscriber,
    Tally,
    open_all,
    open_one,
    stamp,
)
from batonbox.bench.digest import _KEPT, stamped_s
from batonbox.bench.plan import Result, percentiles
from batonbox.bench.remedies import of_refusals, of_status
from batonbox.bench.report import table, verdict
from batonbox.bench.server import Usage, cpu_each
from tests.sdk.scripted import Peer, Script, event, snap
from tests.support import eventually

WAIT_S = 10.0


def tallied(*seqs: int, begin: int = 10) -> Tally:
    tally = Tally()
    tally.start("e1", begin, "tip")
    for seq in seqs:
        tally.take(seq, seq, f"tip{seq}")
    return tally


@pytest.mark.parametrize(
    ("seqs", "lost", "doubled", "disordered"),
    [
        ((11, 12, 13), 0, 0, 0),
        ((), 3, 0, 0),
        ((11, 13), 1, 0, 0),
        ((13,), 2, 0, 0),
        ((11, 12, 12, 13), 0, 1, 0),
        ((11, 12, 13, 9), 0, 1, 0),
        ((11, 13, 12), 0, 0, 1),
        ((13, 12, 12), 1, 1, 1),
    ],
)
def test_a_tally_knows_to_the_event_what_went_wrong(
    seqs: tuple[int, ...], lost: int, doubled: int, disordered: int
) -> None:
    tally = tallied(*seqs)
    assert (tally.lost(13), tally.doubled, tally.disordered) == (lost, doubled, disordered)
    assert tally.got == len(seqs)


def test_who_has_no_position_is_owed_nothing() -> None:
    assert not Tally().begun
    assert Tally().lost(13) == 0
    assert tallied().begun


def test_a_run_of_events_that_overlaps_is_counted_one_by_one() -> None:
    tally = tallied(11, 12)
    tally.take(12, 14, "tip14")
    assert (tally.next, tally.tip, tally.doubled, tally.lost(14)) == (15, "tip14", 1, 0)


def test_a_snapshot_after_a_told_gap_owes_nothing_before_it() -> None:
    tally = tallied(11, 13)
    tally.start("e2", 20, "tip20")
    assert tally.lost(20) == 0
    assert tally.lost(21) == 1


@pytest.mark.parametrize("fault", ["lost", "doubled", "disordered", "closed"])
def test_one_fault_among_many_deliveries_makes_the_whole_run_wrong(fault: str) -> None:
    account = Account(delivered=1000) + Account(**{fault: 1})
    results = [Result(workload="latency"), Result(workload="fanout", account=account)]
    assert not account.right
    assert verdict(results).endswith("in fanout")
    assert verdict(results[:1]).startswith("nothing lost")
    assert f"1 {fault}" in table(results[1])
    assert results[1].as_map()["right"] is False


def packed(*frames: list[Any]) -> bytes:
    return b"".join(msgpack.packb(frame) for frame in frames)


def other(seq: int, inbox: str) -> list[Any]:
    return [event(seq)[0], inbox, *event(seq)[2:]]


def test_a_message_is_taken_apart_in_its_order() -> None:
    badge = [int(Op.BADGE), "sales", 1, 0, 1, 7]
    message = packed(event(5), event(6), badge, event(7), other(3, "support"), event(9))
    assert Digests().of(message) == (
        Run("sales", 5, 6, "tip6"),
        badge,
        Run("sales", 7, 7, "tip7"),
        Run("support", 3, 3, "tip3"),
        Run("sales", 9, 9, "tip9"),
    )


def test_a_gap_inside_a_message_is_no_run() -> None:
    """Nor is what another inbox numbers on: what was left out would count as delivered."""
    assert Digests().of(packed(event(5), event(7), other(8, "support"))) == (
        Run("sales", 5, 5, "tip5"),
        Run("sales", 7, 7, "tip7"),
        Run("support", 8, 8, "tip8"),
    )


def test_only_the_latest_messages_are_remembered() -> None:
    digests = Digests()
    for seq in range(1, 2 * _KEPT):
        digests.of(packed(event(seq)))
        assert len(digests._kept) <= _KEPT


def test_equal_messages_are_decoded_once_and_similar_ones_are_told_apart() -> None:
    digests = Digests()
    long = event(5, body={"text": "a" * 300})
    message = packed(long)
    assert digests.of(message) is digests.of(bytes(bytearray(message)))
    other = message.replace(b"a" * 200, b"b" * 200)
    assert digests.of(other) is not digests.of(message)
    assert digests.of(other) == digests.of(message)


def test_a_stamp_tells_when_it_was_sent_and_other_ids_do_not() -> None:
    assert stamped_s(stamp("run.1", 12.5)) == 12.5
    assert [stamped_s(cid) for cid in ("run.1", "a@b", "", None, 7)] == [None] * 5
    frame = event(5)
    frame[3]["cid"] = stamp("run", 2.25)
    assert Digests(timed=True).of(packed(frame, event(6))) == (Run("sales", 5, 6, "tip6", (2.25,)),)


async def followed(script: Script, **more: Any) -> tuple[Subscriber, Peer]:
    """A subscriber of `sales` whose snapshot was at 10."""
    audience = Audience()
    opening = asyncio.get_running_loop().create_task(
        open_one(lambda: Subscriber(Address.of(script.url), "t", ["sales"], audience, **more))
    )
    peer = await script.next()
    await peer.welcome()
    request = await peer.expect(Op.SUB)
    if len(request[2][0]) == 2:
        await peer.send(snap(10))
    await peer.ok(request, subs=[["sales", "snapshot", 0]])
    subscriber = await opening
    audience.members = [subscriber]
    return subscriber, peer


@pytest.mark.parametrize(
    ("seqs", "found"),
    [
        ([11, 12, 13], Account(delivered=3)),
        ([11, 13], Account(delivered=2, lost=1)),
        ([11, 11, 12, 13], Account(delivered=4, doubled=1)),
        ([12, 11, 13], Account(delivered=3, disordered=1)),
    ],
)
@pytest.mark.parametrize("joined", [True, False])
async def test_a_subscriber_counts_what_a_server_does_wrong(
    script: Script, seqs: list[int], found: Account, joined: bool
) -> None:
    """Whether it does so in one message or in several."""
    subscriber, peer = await followed(script)
    frames = [event(seq) for seq in seqs]
    await (peer.send_joined(*frames) if joined else peer.send(*frames))
    assert await subscriber.audience.until({"sales": 13}, timeout_s=WAIT_S)
    assert subscriber.audience.account({"sales": 13}) == found
    subscriber.close()
    await peer.closed


async def test_a_gap_that_is_told_is_counted_and_is_no_loss(script: Script) -> None:
    subscriber, peer = await followed(script)
    await peer.send(event(11), [int(Op.RESET), "sales", "e2"], snap(20), event(21))
    assert await subscriber.audience.until({"sales": 21}, timeout_s=WAIT_S)
    assert subscriber.audience.account({"sales": 21}) == Account(delivered=2, resets=1)
    subscriber.close()
    await peer.closed


async def test_who_is_closed_by_the_server_has_lost_the_rest(script: Script) -> None:
    subscriber, peer = await followed(script)
    await peer.send(event(11))
    await peer.close(4002, "reading too slowly")
    await subscriber.audience.until({"sales": 11}, timeout_s=WAIT_S)
    await eventually(lambda: subscriber.ended)
    account = subscriber.audience.account({"sales": 13})
    assert account == Account(delivered=1, lost=2, closed=1)
    assert "4002 reading too slowly" in subscriber.ended


async def test_who_comes_back_resumes_and_goes_on_counting(script: Script) -> None:
    first, peer = await followed(script)
    await peer.send(event(11))
    assert await first.audience.until({"sales": 11}, timeout_s=WAIT_S)
    first.cut()
    opening = asyncio.get_running_loop().create_task(followed(script, tallies=first.tallies))
    second, peer = await opening
    assert second.tallies["sales"].next == 12
    await peer.send(event(12), event(12))
    assert await second.audience.until({"sales": 12}, timeout_s=WAIT_S)
    assert second.audience.account({"sales": 12}) == Account(delivered=3, doubled=1)
    second.close()
    await peer.closed


class Kept(Lean):
    """Keeps whole messages."""

    kept: list[bytes]

    def message(self, payload: bytes) -> None:
        self.kept.append(payload)


@pytest.mark.parametrize("step", [1, 2, 3, 7, 64, 100_000])
async def test_messages_are_whole_however_the_network_cuts_them(step: int) -> None:
    sizes = [0, 1, 125, 126, 127, 65535, 65536] if step > 7 else [0, 1, 125, 126, 300]
    sent = [bytes([n % 256]) * size for n, size in enumerate(sizes)]
    here, there = socket.socketpair()
    here.setblocking(False)
    there.setblocking(False)
    link = Kept(Address("localhost", 80, "/"), hello=b"")
    link.kept = []
    loop = asyncio.get_running_loop()
    await loop.create_connection(lambda: link, sock=here)
    data = b"HTTP/1.1 101 Switching Protocols\r\na: b\r\n\r\n"
    for payload in sent:
        size = len(payload)
        if size < 126:
            data += bytes([0x82, size])
        elif size < 1 << 16:
            data += bytes([0x82, 126]) + size.to_bytes(2, "big")
        else:
            data += bytes([0x82, 127]) + size.to_bytes(8, "big")
        data += payload
    for at in range(0, len(data), step):
        await loop.sock_sendall(there, data[at : at + step])
        await asyncio.sleep(0)
    await eventually(lambda: len(link.kept) == len(sent))
    assert link.kept == sent
    link.cut()
    there.close()


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (b"HTTP/1.1 503 Busy\r\nRetry-After: 7\r\n\r\n", Refused),
        (b"HTTP/1.1 401 No\r\n\r\n", Unauthorized),
        (b"HTTP/1.1 404 No\r\n\r\n", ProtocolError),
        (b"SSH-2.0-OpenSSH\r\n\r\n", ProtocolError),
        (b"x" * 20_000, ProtocolError),
        (b"", ConnectionLost),
    ],
)
async def test_what_is_no_websocket_is_said(answer: bytes, error: type[Exception]) -> None:
    async def answered(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answered, "127.0.0.1", 0)
    async with server:
        address = Address("127.0.0.1", server.sockets[0].getsockname()[1], "/v1/ws")
        with pytest.raises(error) as raised:
            await open_one(lambda: Commander(address, "t"))
    if isinstance(raised.value, Refused):
        assert raised.value.retry_after_s == 7.0


async def test_an_answer_that_never_comes_is_told_when_the_connection_ends(script: Script) -> None:
    opening = asyncio.get_running_loop().create_task(
        open_all(lambda _: Commander(Address.of(script.url), "t"), 1)
    )
    peer = await script.next()
    await peer.welcome()
    (commander,) = await opening
    answers: list[list[Any]] = []
    commander.command("assign", {"conv": "sales.c1", "cid": "1"}, answers.append)
    await peer.expect(Op.CMD)
    peer.cut()
    await eventually(lambda: answers)
    assert answers[0][3] == "unavailable"
    commander.command("assign", {"conv": "sales.c1", "cid": "2"}, answers.append)
    await eventually(lambda: len(answers) == 2)
    assert commander.in_flight == 0


@pytest.mark.parametrize(
    ("url", "host", "port", "path", "netloc"),
    [
        ("http://127.0.0.1:8080", "127.0.0.1", 8080, "/v1/ws", "127.0.0.1:8080"),
        ("wss://chat.example.com/team/", "chat.example.com", 443, "/team/v1/ws",
         "chat.example.com"),
        ("ws://[::1]:8080", "::1", 8080, "/v1/ws", "[::1]:8080"),
    ],
)  # fmt: skip
def test_an_address_is_taken_from_any_of_the_four_schemes(
    url: str, host: str, port: int, path: str, netloc: str
) -> None:
    address = Address.of(url)
    assert (address.host, address.port, address.path, address.netloc) == (host, port, path, netloc)
    assert (address.tls is not None) == url.startswith("wss")


def test_what_to_raise_is_said() -> None:
    assert "BATONBOX_COMMANDS_PER_S" in of_refusals({"rate_limited": 3})[0]
    assert "BATONBOX_HANDSHAKES_PER_S" in of_status({503: 2})[0]


def test_the_usage_of_all_workers_is_added_up() -> None:
    text = (
        "# HELP process_cpu_seconds_total Total\n"
        'process_cpu_seconds_total{worker="0"} 1.5\nprocess_cpu_seconds_total{worker="1"} 2.0\n'
        "process_resident_memory_bytes 4.5e+07\nother 7\n"
    )
    after = Usage.of(text)
    assert after == Usage(3.5, 45_000_000.0)
    assert cpu_each(Usage(1.5), after, 1000) == {"server_cpu_us_each": 2000.0}
    assert cpu_each(Usage(), Usage(), 1000) == {}


def test_a_figure_of_a_busy_client_is_marked() -> None:
    result = Result(workload="fanout", figures={"deliveries_per_s": 1000}, client_busy=0.95)
    assert "(client-bound)" in table(result)
    result.client_busy = 0.5
    assert "client-bound" not in table(result)


def test_percentiles_of_few_and_of_none() -> None:
    assert percentiles([]) == {}
    assert percentiles([0.001, 0.003, 0.002]) == {"p50_ms": 2.0, "p99_ms": 3.0, "max_ms": 3.0}
