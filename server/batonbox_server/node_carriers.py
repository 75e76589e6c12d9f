"""The carriers of a node, put together: those of its settings, and the organisation's accounts."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import fields
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from batonbox_server.carriers.kannel import KannelKind
from batonbox_server.carriers.loopback import Loopback
from batonbox_server.carriers.port import Kind
from batonbox_server.carriers.signature import secret_bytes
from batonbox_server.carriers.twilio import TwilioKind
from batonbox_server.carriers.webhook import Webhook
from batonbox_server.config import ConfigError, Settings
from batonbox_server.service.account_admin import AccountAdmin
from batonbox_server.service.accounts import Accounts, BuiltIn
from batonbox_server.service.vault import Vault, key_from
from batonbox_server.store.account_port import AccountRecord, SecretFrom
from batonbox_server.store.accounts import RedisAccounts
from batonbox_server.store.directory import RedisDirectory
from batonbox_server.store.engine import Engine
from batonbox_server.store.keys import Keys
from batonbox_server.store.phones import EnginePhones

__all__ = ["NodeCarriers", "default_carrier", "webhook_secret"]

_WEBHOOK_PATHS: Final = ("/v1/webhook/inbound", "/v1/webhook/receipts")


class NodeCarriers:
    """`accounts` send and are called back, `admin` changes them; `await start()` before use."""

    def __init__(
        self,
        settings: Settings,
        client: Engine,
        organisation: RedisDirectory,
        *,
        keys: Keys,
        closing: AsyncExitStack,
    ) -> None:
        self._settings = settings
        self._closing = closing
        self._kinds = self._open_kinds()
        store = RedisAccounts(client, organisation, keys=keys)
        vault = _vault(settings)
        self.accounts = Accounts(
            store,
            vault,
            self._kinds,
            built_in=self._built_in(EnginePhones(client, keys=keys)),
            public_url=_public_url(settings.public_url),
        )
        self.admin = AccountAdmin(store, self.accounts, vault)

    async def start(self) -> None:
        """Read the accounts."""
        self._closing.push_async_callback(self.accounts.aclose)
        await self.accounts.start()

    def _open_kinds(self) -> Mapping[str, Kind]:
        kinds: dict[str, Kind] = {
            "kannel": KannelKind(),
            "twilio": TwilioKind(url=self._settings.twilio_url),
        }
        for kind in kinds.values():
            self._closing.push_async_callback(kind.aclose)
        return kinds

    def _built_in(self, phones: EnginePhones) -> dict[str, BuiltIn]:
        settings, found = self._settings, {}
        if settings.loopback:
            record = _record("loopback", "Simulated phones")
            found["loopback"] = BuiltIn(record, Loopback(phones))
        secret = webhook_secret(settings)
        if secret:
            webhook = Webhook(url=settings.webhook_url, secret=secret)
            self._closing.push_async_callback(webhook.aclose)
            record = _record("webhook", "Webhook carrier", {"url": settings.webhook_url})
            found["webhook"] = BuiltIn(record, webhook, secret="set", paths=_WEBHOOK_PATHS)  # noqa: S106
        if settings.twilio_account_sid or settings.twilio_auth_token:
            config = {
                "account_sid": settings.twilio_account_sid,
                "messaging_service_sid": settings.twilio_messaging_service_sid,
            }
            found["twilio"] = self._of_settings("twilio", "Twilio", config, "auth_token")
        if settings.kannel_url or settings.kannel_password:
            names = ("url", "username", "smsc_id")
            config = {name: getattr(settings, f"kannel_{name}") for name in names}
            found["kannel"] = self._of_settings("kannel", "Kannel", config, "password")
        return found

    def _of_settings(self, kind: str, name: str, config: dict[str, Any], secret: str) -> BuiltIn:
        """An account of the settings `<kind>_*`; its id is its kind's name."""
        prefix = f"BATONBOX_{kind.upper()}_"
        given = str(getattr(self._settings, f"{kind}_{secret}"))
        if not given:
            raise ConfigError(f"{prefix}{secret.upper()} is needed with the other {prefix}*")
        try:
            checked = self._kinds[kind].checked(config)
        except ValueError as error:
            field, _, says = str(error).partition(":")
            raise ConfigError(f"{prefix}{field.upper()}:{says}") from error
        account = self._kinds[kind].make(kind, checked, secret=lambda: given, rate_per_s=0.0)
        stands: SecretFrom = "set"
        return BuiltIn(_record(kind, name, checked), account, account, secret=stands)


def default_carrier(settings: Settings) -> str:
    """What a number without a word about it uses."""
    if settings.loopback:
        return "loopback"
    if settings.twilio_account_sid and not settings.webhook_secret:
        return "twilio"
    if settings.kannel_url and not settings.webhook_secret:
        return "kannel"
    return "webhook"


def webhook_secret(settings: Settings) -> bytes:
    """The webhook carrier's, b"" without that carrier; raises ConfigError."""
    try:
        return secret_bytes(settings.webhook_secret)
    except ValueError as error:
        raise ConfigError(f"BATONBOX_WEBHOOK_SECRET: {error}") from error


def _record(name: str, shown: str, config: Mapping[str, Any] | None = None) -> AccountRecord:
    return AccountRecord(id=name, kind=name, name=shown, created_ms=0, config=config or {})


def _vault(settings: Settings) -> Vault:
    try:
        key = key_from(settings.secrets_key)
    except ValueError as error:
        raise ConfigError(f"BATONBOX_SECRETS_KEY: {error}") from error
    file = Path(settings.data_dir) / "secrets.key"
    own = frozenset(
        str(getattr(settings, f.name)) for f in fields(settings) if f.metadata["secret"]
    )
    try:
        return Vault(key=key, key_file=file, folder=Path(settings.secrets_dir), own=own)
    except ValueError as error:
        raise ConfigError(str(error)) from error


def _public_url(url: str) -> str:
    """As carriers are told it; raises ConfigError where they could not be told so."""
    parts = urlsplit(url)
    plain = not (parts.query or parts.fragment or parts.username)
    if url and not (plain and parts.scheme in {"https", "http"} and parts.hostname):
        raise ConfigError("BATONBOX_PUBLIC_URL: give https://, a host and perhaps a port")
    return url.rstrip("/")
