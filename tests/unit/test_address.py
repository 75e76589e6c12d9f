"""Addresses of engines: what they mean, and what people are told of those that are none."""

from __future__ import annotations

import pytest

from batonbox_server.errors import EngineUnsuitable
from batonbox_server.store.address import Address


@pytest.mark.parametrize(
    ("url", "same"),
    [
        ("redis://127.0.0.1:6380/2", "redis://127.0.0.1:6380/2"),
        ("redis://bb:p%2Fw@engine", "redis://bb:p%2Fw@engine:6379"),
        ("redis://", "redis://localhost:6379"),
        ("redis://[::1]:7000", "redis://[::1]:7000"),
        ("REDISS://h?ssl_ca_certs=/etc/ca.pem", "rediss://h:6379?ssl_ca_certs=%2Fetc%2Fca.pem"),
        ("unix://:pw@/run/engine.sock?db=1", "unix://:pw@/run/engine.sock?db=1"),
        ("redis://h?socket_timeout=5&protocol=3", "redis://h:6379"),
    ],
)
def test_one_server(url: str, same: str) -> None:
    address = Address.parse(url)
    assert (address.topology, address.url) == ("standalone", same)


def test_servers_with_sentinels() -> None:
    address = Address.parse(
        "rediss+sentinel://bb:p%40w@one,two:26380,[::1]/main/3"
        "?ssl_ca_certs=ca.pem&client_name=desk&sentinel_username=watch&sentinel_password=s%2Fw"
    )
    assert (address.topology, address.service) == ("sentinel", "main")
    assert address.places == (("one", 26379), ("two", 26380), ("::1", 26379))
    primary = "rediss://bb:p%40w@ten:6379/3?ssl_ca_certs=ca.pem&client_name=desk"
    assert address.at(("ten", 6379)) == primary
    watch = "rediss://watch:s%2Fw@two:26380?ssl_ca_certs=ca.pem"
    assert address.sentinel(address.places[1]) == watch


def test_sentinels_without_a_password_get_none() -> None:
    address = Address.parse("redis+sentinel://:secret@one:1/main")
    assert address.sentinel(("one", 1)) == "redis://one:1"


def test_a_cluster() -> None:
    address = Address.parse("redis+cluster://:secret@one:7000,two")
    assert address.topology == "cluster"
    assert address.places == (("one", 7000), ("two", 6379))
    assert address.at(("ten", 7001)) == "redis://:secret@ten:7001"


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("localhost:6379", r"it is no URL.*redis://"),
        ("http://h", r"begins with http://.*redis\+sentinel://.*redis\+cluster://"),
        ("redis://one,two", r"several hosts need redis\+sentinel:// or redis\+cluster://"),
        ("redis://h:99999", "host number 1 has a port that is none"),
        ("redis://h:port", "host number 1 is no name"),
        ("redis://h/main", "the database is a number"),
        ("redis://h?db=x", "the database is a number"),
        ("redis://h?ssl_ca_certs=ca.pem", "ssl_ca_certs needs TLS: begin with rediss"),
        ("redis://h?retries=3", "no option 'retries'; it takes client_name, db"),
        ("redis://h?client_name=", "the option client_name is empty"),
        ("redis://h?sentinel_password=x", r"sentinel_password needs redis\+sentinel://"),
        ("redis+sentinel://one,two", "needs / and the service's name"),
        ("redis+sentinel://one,/main", "host number 2 is no name"),
        ("redis+cluster://one/1", "a cluster has database 0 only"),
        ("unix://run/engine.sock", "absolute path"),
    ],
)
def test_what_is_none_is_refused_with_an_example(url: str, why: str) -> None:
    with pytest.raises(EngineUnsuitable, match=why) as raised:
        Address.parse(url)
    assert "redis" in str(raised.value).partition("xample")[2] or "it takes" in str(raised.value)


@pytest.mark.parametrize(
    "url", ["redis://bb:top/secret@h", "redis://bb:top#secret@h", "redis+cluster://:top?secret@h"]
)
def test_no_half_of_a_password_is_shown(url: str) -> None:
    with pytest.raises(EngineUnsuitable) as raised:
        Address.parse(url)
    assert "top" not in str(raised.value).replace("topology", "")
    assert "secret" not in str(raised.value)
