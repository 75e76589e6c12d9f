"""Carrier accounts: made, changed and deleted by admins, with secrets that nobody sees again."""

from __future__ import annotations

import base64
import errno
import os
import stat
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx2
import pytest

from batonbox_server.carriers.port import SecretUnreadable
from batonbox_server.config import ConfigError, Settings
from batonbox_server.node import Node
from batonbox_server.service.vault import Vault
from batonbox_server.store.account_port import AccountRecord
from tests.chaos.processes import serving
from tests.integration.twilio_vendor import PUBLIC, SID, TOKEN, Vendor, listening
from tests.served import SALES, Served, served
from tests.support import eventually

CARRIERS = "/v1/admin/carriers"
KEY = base64.b64encode(b"k" * 32).decode()
OTHER_KEY = base64.b64encode(b"o" * 32).decode()
TWILIO: dict[str, Any] = {
    "id": "acme",
    "kind": "twilio",
    "name": "Acme's",
    "config": {"account_sid": SID},
    "secret": TOKEN,
}


@pytest.fixture
async def vendor() -> AsyncIterator[Vendor]:
    """Twilio's stand-in."""
    async with listening() as vendor:
        yield vendor


@asynccontextmanager
async def node(
    engine_url: str, prefix: str, folder: Path, vendor: Vendor, **settings: Any
) -> AsyncIterator[Served]:
    """A node with a public address and a folder of its own."""
    given = {"public_url": PUBLIC, "data_dir": str(folder), "twilio_url": vendor.url, **settings}
    async with served(engine_url, prefix, **given) as site:
        vendor.port = site.port
        yield site


@pytest.fixture
async def site(
    engine_url: str, prefix: str, tmp_path: Path, vendor: Vendor
) -> AsyncIterator[Served]:
    """One with a key of its settings."""
    async with node(engine_url, prefix, tmp_path, vendor, secrets_key=KEY) as site:
        yield site


async def made(site: Served, **changed: Any) -> dict[str, Any]:
    """An account."""
    answer = await site.call("admin", "POST", CARRIERS, {**TWILIO, **changed})
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


async def test_an_account_is_made_shown_changed_and_deleted(site: Served, vendor: Vendor) -> None:
    account = await made(site)
    assert account == {
        "id": "acme",
        "kind": "twilio",
        "name": "Acme's",
        "config": {"account_sid": SID, "messaging_service_sid": ""},
        "secret": "set",
        "secret_file": "",
        "rate_per_s": 0.0,
        "built_in": False,
        "numbers": [],
        "inbound_url": f"{PUBLIC}/v1/carriers/acme/inbound#rc=5&rp=5xx,ct,rt",
        "status_url": f"{PUBLIC}/v1/carriers/acme/status#rc=5&rp=5xx,ct,rt",
        "setup": account["setup"],
        "problem": "",
    }
    assert account["inbound_url"] in account["setup"]
    assert await site.get("admin", f"{CARRIERS}/acme") == account
    listed = (await site.get("admin", CARRIERS))["items"]
    assert [(one["id"], one["built_in"]) for one in listed] == [("loopback", True), ("acme", False)]
    changed = await site.call("admin", "PATCH", f"{CARRIERS}/acme", {"name": "A", "rate_per_s": 2})
    assert changed.json() == {**account, "name": "A", "rate_per_s": 2.0}
    check = await site.call("admin", "POST", f"{CARRIERS}/acme/check")
    assert check.json() == {"ok": True, "says": ""}
    vendor.token = "another"
    check = await site.call("admin", "POST", f"{CARRIERS}/acme/check")
    assert check.json()["ok"] is False and "does not know" in check.json()["says"]
    secret = await site.call("admin", "PATCH", f"{CARRIERS}/acme", {"secret": "another"})
    assert secret.status_code == 200
    check = await site.call("admin", "POST", f"{CARRIERS}/acme/check")
    assert check.json()["ok"] is True
    assert (await site.call("admin", "DELETE", f"{CARRIERS}/acme")).status_code == 204
    assert (await site.call("admin", "GET", f"{CARRIERS}/acme")).status_code == 404
    audit = (await site.get("admin", "/v1/admin/audit?limit=20"))["items"]
    acts = [entry["action"] for entry in audit if entry["target"] == "acme"]
    assert acts == ["carrier_deleted", "carrier_secret_replaced", "carrier_changed",
                    "carrier_created"]  # fmt: skip


async def test_a_number_uses_an_account_which_stays_as_long(site: Served) -> None:
    await made(site)
    put = await site.call("admin", "PUT", f"/v1/admin/numbers/{SALES}",
                          {"carrier": "acme", "inbox": "sales"})  # fmt: skip
    assert put.json()["carrier"] == "acme"
    assert (await site.get("admin", f"{CARRIERS}/acme"))["numbers"] == [SALES]
    refused = await site.call("admin", "DELETE", f"{CARRIERS}/acme")
    assert (refused.status_code, refused.json()["code"]) == (409, "conflict")
    assert SALES in refused.json()["detail"]
    unknown = await site.call("admin", "PATCH", f"/v1/admin/numbers/{SALES}", {"carrier": "nobody"})
    assert unknown.status_code == 400 and "acme, loopback" in unknown.json()["detail"]
    check = await site.call("admin", "POST", f"/v1/admin/numbers/{SALES}/check", {"send": False})
    step = next(step for step in check.json()["steps"] if step["step"] == "carrier")
    assert step["state"] == "ok", step
    await site.call("admin", "PATCH", f"/v1/admin/numbers/{SALES}", {"carrier": "loopback"})
    assert (await site.call("admin", "DELETE", f"{CARRIERS}/acme")).status_code == 204


@pytest.mark.parametrize(
    ("changed", "status", "says"),
    [
        ({"kind": "pigeon"}, 400, "kind: one of"),
        ({"config": {}}, 400, "config.account_sid: AC and 32"),
        ({"config": {"account_sid": "AC1"}}, 400, "config.account_sid"),
        ({"config": {"account_sid": SID, "colour": "red"}}, 400, "config.colour"),
        ({"config": {"account_sid": SID, "messaging_service_sid": "x"}}, 400, "MG and 32"),
        ({"id": "twilio"}, 409, "account of the settings"),
        ({"id": "loopback"}, 409, "account of the settings"),
        ({"id": "a b"}, 400, "id"),
        ({"name": ""}, 400, "name"),
        ({"rate_per_s": -1}, 400, "rate_per_s"),
        ({"rate_per_s": 1e-300}, 400, "0.01 and more"),
        ({"secret_file": "/run/secrets/x"}, 400, "give one of them"),
        ({"secret": "", "secret_file": "x"}, 400, "absolute"),
        ({"secret": "", "secret_file": "/etc/hostname"}, 400, "BATONBOX_SECRETS_DIR"),
        ({"secret": "", "secret_file": "/run/secrets/../../etc/hostname"}, 400, "SECRETS_DIR"),
    ],
    ids=str,
)
async def test_what_cannot_be_an_account_is_refused(
    site: Served, changed: dict[str, Any], status: int, says: str
) -> None:
    answer = await site.call("admin", "POST", CARRIERS, {**TWILIO, **changed})
    assert answer.status_code == status and says in answer.json()["detail"], answer.text
    assert (await site.call("admin", "POST", CARRIERS, TWILIO)).status_code == 201
    again = await site.call("admin", "POST", CARRIERS, TWILIO)
    assert again.json()["code"] == "conflict"


async def test_accounts_of_the_settings_are_shown_and_not_changed(
    engine_url: str, prefix: str, tmp_path: Path, vendor: Vendor
) -> None:
    given = {"twilio_account_sid": SID, "twilio_auth_token": TOKEN}
    async with node(engine_url, prefix, tmp_path, vendor, **given) as site:
        shown = await site.get("admin", f"{CARRIERS}/twilio")
        assert (shown["built_in"], shown["secret"], shown["problem"]) == (True, "set", "")
        assert shown["inbound_url"].startswith(f"{PUBLIC}/v1/carriers/twilio/inbound")
        for method in ("PATCH", "DELETE"):
            refused = await site.call("admin", method, f"{CARRIERS}/twilio", {})
            assert refused.json()["code"] == "conflict", refused.text
        check = await site.call("admin", "POST", f"{CARRIERS}/twilio/check")
        assert check.json()["ok"] is True
        assert not (tmp_path / "secrets.key").exists(), "nothing is sealed, so no key is made"


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"twilio_account_sid": SID}, "BATONBOX_TWILIO_AUTH_TOKEN"),
        ({"twilio_account_sid": "x", "twilio_auth_token": "t"}, "BATONBOX_TWILIO_ACCOUNT_SID"),
        ({"secrets_key": "short"}, "BATONBOX_SECRETS_KEY"),
        ({"secrets_key": base64.b64encode(b"short").decode()}, "BATONBOX_SECRETS_KEY: give 32"),
        ({"public_url": "desk.example.org"}, "BATONBOX_PUBLIC_URL"),
    ],
    ids=str,
)
async def test_settings_that_cannot_be_are_refused(
    engine_url: str, prefix: str, tmp_path: Path, given: dict[str, str], says: str
) -> None:
    settings: dict[str, Any] = {
        "redis_url": engine_url,
        "key_space": prefix,
        "data_dir": str(tmp_path),
        **given,
    }
    node = Node(Settings(**settings))
    try:
        with pytest.raises(ConfigError, match=says):
            await node.open()
    finally:
        await node.close()


async def test_without_a_public_address_the_account_says_so(
    engine_url: str, prefix: str, tmp_path: Path, vendor: Vendor
) -> None:
    async with node(engine_url, prefix, tmp_path, vendor, public_url="") as site:
        account = await made(site)
        assert "BATONBOX_PUBLIC_URL" in account["problem"]
        assert account["inbound_url"] is account["status_url"] is None
        answer = await vendor.brings("hello", to=SALES, customer="+14165550123", account="acme")
        assert answer.status_code == 401


async def test_a_key_of_ones_own_is_made_once_and_for_the_owner_alone(
    engine_url: str, prefix: str, tmp_path: Path, vendor: Vendor
) -> None:
    async with node(engine_url, prefix, tmp_path, vendor) as site:
        await made(site)
        key = tmp_path / "secrets.key"
        assert stat.S_IMODE(key.stat().st_mode) == 0o600
        written = key.read_bytes()
    async with node(engine_url, prefix, tmp_path, vendor) as site:
        check = await site.call("admin", "POST", f"{CARRIERS}/acme/check")
        assert check.json()["ok"] is True
        assert key.read_bytes() == written


async def test_another_key_or_none_is_told_by_the_accounts_name(
    engine_url: str, prefix: str, tmp_path: Path, vendor: Vendor
) -> None:
    async with node(engine_url, prefix, tmp_path / "a", vendor, secrets_key=KEY) as site:
        await made(site)
    async with node(engine_url, prefix, tmp_path / "b", vendor) as site:
        shown = await site.get("admin", f"{CARRIERS}/acme")
        assert "'acme'" in shown["problem"] and "has no key" in shown["problem"]
        other = await site.call("admin", "POST", CARRIERS, {**TWILIO, "id": "two"})
        assert other.json()["code"] == "conflict" and "'acme'" in other.json()["detail"]
        assert not (tmp_path / "b" / "secrets.key").exists()
        answer = await vendor.brings("hello", to=SALES, customer="+14165550123", account="acme")
        assert answer.status_code == 503, "to be brought again once the key is there"
    async with node(engine_url, prefix, tmp_path / "c", vendor, secrets_key=OTHER_KEY) as site:
        shown = await site.get("admin", f"{CARRIERS}/acme")
        assert "sealed under the key" in shown["problem"]
        assert "BATONBOX_SECRETS_KEY" in shown["problem"]
        # Whoever has lost the old key gives the secret again under the new one.
        fresh = await site.call("admin", "PATCH", f"{CARRIERS}/acme", {"secret": TOKEN})
        assert fresh.json()["problem"] == ""


async def test_two_keys_made_at_the_same_time_do_not_both_seal(
    engine_url: str, prefix: str, tmp_path: Path, vendor: Vendor
) -> None:
    async with (
        node(engine_url, prefix, tmp_path / "a", vendor) as one,
        node(engine_url, prefix, tmp_path / "b", vendor) as two,
    ):
        for site in (one, two):  # as if both had looked before either sealed
            site.node.carriers.admin._vault.make_key()
        await made(one)
        refused = await two.call("admin", "POST", CARRIERS, {**TWILIO, "id": "second"})
        assert refused.json()["code"] == "conflict"
        assert "the same BATONBOX_SECRETS_KEY" in refused.json()["detail"]


async def test_a_secret_in_a_file_is_read_whenever_it_is_used(
    engine_url: str, prefix: str, tmp_path: Path, vendor: Vendor
) -> None:
    folder = tmp_path / "secrets"
    folder.mkdir()
    file = folder / "token"
    file.write_text(TOKEN + "\n")
    given = {"secrets_dir": str(folder)}
    async with node(engine_url, prefix, tmp_path / "data", vendor, **given) as site:
        account = await made(site, secret="", secret_file=str(file))
        assert (account["secret"], account["secret_file"]) == ("file", str(file))
        assert (await site.call("admin", "POST", f"{CARRIERS}/acme/check")).json()["ok"] is True
        vendor.token = "rotated"
        file.write_text("rotated")
        assert (await site.call("admin", "POST", f"{CARRIERS}/acme/check")).json()["ok"] is True
        file.unlink()
        shown = await site.get("admin", f"{CARRIERS}/acme")
        assert "cannot be read" in shown["problem"]
        assert not (tmp_path / "data" / "secrets.key").exists()
        (folder / "..data").mkdir()  # as Kubernetes lays them
        (folder / "..data" / "token").write_text("rotated")
        file.symlink_to("..data/token")
        assert (await site.call("admin", "POST", f"{CARRIERS}/acme/check")).json()["ok"] is True
        (folder / "link").symlink_to("/etc/hostname")
        refused = await site.call(
            "admin", "PATCH", f"{CARRIERS}/acme", {"secret_file": str(folder / "link")}
        )
        assert refused.status_code == 400, "a link must not lead out of the folder"


async def test_no_file_with_a_secret_of_the_settings_is_sent_anywhere(
    engine_url: str, prefix: str, tmp_path: Path, vendor: Vendor
) -> None:
    """Both lie in one folder often, and a carrier's address is its admin's choice."""
    folder = tmp_path / "secrets"
    folder.mkdir()
    (folder / "key").write_text(KEY + "\n")
    pods = folder / "kubernetes.io" / "serviceaccount" / "token"
    pods.parent.mkdir(parents=True)
    pods.write_text("the pod's own")
    (folder / "gateway").write_text("cXVpdGUgYW5vdGhlciBzZWNyZXQ=")
    given = {"secrets_dir": str(folder), "secrets_key": KEY}
    config = {"url": "http://127.0.0.1:9/cgi-bin/sendsms", "username": "u"}
    kannel = {"kind": "kannel", "config": config, "secret": ""}
    async with node(engine_url, prefix, tmp_path / "data", vendor, **given) as site:
        for file in ("key", "gateway\0", "kubernetes.io/serviceaccount/token"):
            body = {**TWILIO, **kannel, "secret_file": str(folder / file)}
            refused = await site.call("admin", "POST", CARRIERS, body)
            assert refused.status_code == 400, refused.text
        await made(site, **kannel, secret_file=str(folder / "gateway"))


async def test_half_a_key_does_not_stay_in_the_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "secrets.key"
    one, two = (Vault(key=b"", key_file=file, folder=tmp_path) for _ in range(2))

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as disk:
        disk.setattr(os, "fsync", full)
        with pytest.raises(OSError, match="No space"):
            one.make_key()
    assert not file.exists()
    one.make_key()
    record = AccountRecord(id="a", kind="twilio", name="A", created_ms=1)
    sealed = replace(record, sealed=one.seal("a", TOKEN), key=one.key_id)
    assert two.open(sealed) == TOKEN, "another process of the folder finds the key made meanwhile"
    file.write_text("")
    with pytest.raises(ValueError, match="it is empty"):
        Vault(key=b"", key_file=file, folder=tmp_path)


async def test_other_nodes_follow(
    engine_url: str, prefix: str, tmp_path: Path, vendor: Vendor
) -> None:
    given = {"secrets_key": KEY}
    async with (
        node(engine_url, prefix, tmp_path / "a", vendor, **given) as one,
        node(engine_url, prefix, tmp_path / "b", vendor, **given) as two,
    ):
        there = two.node.carriers.accounts
        await made(one)
        await eventually(lambda: "acme" in there)
        assert there.problem("acme") == ""
        first = there.get("acme")
        await one.call("admin", "PATCH", f"{CARRIERS}/acme", {"rate_per_s": 3})
        await eventually(lambda: there.get("acme") is not first)
        carrier = there.get("acme")
        assert carrier is not None and carrier.rate_per_s == 3
        await one.call("admin", "DELETE", f"{CARRIERS}/acme")
        await eventually(lambda: "acme" not in there)


async def test_a_secret_is_bound_to_its_account_and_to_every_bit(tmp_path: Path) -> None:
    vault = Vault(key=b"k" * 32, key_file=tmp_path / "secrets.key", folder=tmp_path)
    record = AccountRecord(id="a", kind="twilio", name="A", created_ms=1)
    sealed = replace(record, sealed=vault.seal("a", TOKEN), key=vault.key_id)
    assert vault.open(sealed) == TOKEN
    assert vault.seal("a", TOKEN) != vault.seal("a", TOKEN)
    damaged = bytes([sealed.sealed[0] ^ 1]) + sealed.sealed[1:]
    for wrong in (replace(sealed, id="b"), replace(sealed, sealed=damaged)):
        with pytest.raises(SecretUnreadable, match="damaged"):
            vault.open(wrong)


async def test_the_secret_stands_nowhere(tmp_path: Path, vendor: Vendor) -> None:
    """Neither in the engine's files nor in what the server says: grepped, on a real one."""
    data = tmp_path / "data"
    other = "the-second-secret-of-this-account"
    async with serving(data, twilio_url=vendor.url, public_url=PUBLIC) as server:
        vendor.port = server.port
        headers = {"authorization": f"Bearer {await server.token()}"}
        async with httpx2.AsyncClient(base_url=server.url, headers=headers) as http:
            said = [await http.post(CARRIERS, json=TWILIO)]
            said.append(await http.patch(f"{CARRIERS}/acme", json={"secret": other}))
            said.append(await http.post(f"{CARRIERS}/acme/check"))
            said.append(await http.get(CARRIERS))
            said.append(await http.get("/v1/admin/audit"))
            said.append(await http.delete(f"{CARRIERS}/acme"))
        assert all(answer.is_success for answer in said), [answer.text for answer in said]
        await vendor.brings("hello", to=SALES, customer="+14165550123", account="acme")
    files = [path for path in data.rglob("*") if path.is_file()]
    assert any(b"carrier_created" in path.read_bytes() for path in files), "the log is there"
    seen = [answer.content for answer in said]
    seen += [path.read_bytes() for path in files] + [server.log.read_bytes()]
    for secret in (TOKEN, other):
        spelt = {secret.encode(), base64.b64encode(secret.encode()), os.fsencode(secret)[::-1]}
        spelt |= {base64.b64encode(f"{SID}:{secret}".encode())}
        assert not [where for where in seen for word in spelt if word in where]
