"""What commands of the shell work with and every node begins with: engine and directory."""

from __future__ import annotations

from contextlib import AsyncExitStack
from pathlib import Path

from batonbox_server.config import ConfigError, Settings
from batonbox_server.engine import EmbeddedEngine
from batonbox_server.node_archive import archive_of, logs_of
from batonbox_server.node_carriers import default_carrier
from batonbox_server.service.administration import Administration
from batonbox_server.service.audit import Audit
from batonbox_server.service.directory import LiveDirectory
from batonbox_server.service.embedding import Embedding, check_jwks_url
from batonbox_server.service.identity import Lifetime, TokenIdentity
from batonbox_server.service.invites import Invites
from batonbox_server.service.jwks import Jwks
from batonbox_server.service.opt_outs import OptOuts
from batonbox_server.service.passwords import Passwords
from batonbox_server.service.setup import Setup
from batonbox_server.service.sign_in import SignIn
from batonbox_server.service.uses import Uses
from batonbox_server.store.address import Address
from batonbox_server.store.audit import RedisAudit
from batonbox_server.store.directory import RedisDirectory
from batonbox_server.store.durable import Durable
from batonbox_server.store.keys import Keys
from batonbox_server.store.layout import Layout
from batonbox_server.store.live import RedisLive
from batonbox_server.store.patience import Patience
from batonbox_server.store.redis import RedisStore
from batonbox_server.store.rooms import RedisRooms
from batonbox_server.store.scripts import forget_others
from batonbox_server.store.sign_in import RedisSignIn
from batonbox_server.store.sign_in_port import Rates
from batonbox_server.store.topology import engine_of
from batonbox_server.store.words import RedisWords

__all__ = ["Organisation"]


class Organisation:
    """The engine and everything that needs no websocket: what commands of the shell work with.

    `await open()`, then use; `await close()` ends it. Raises EngineUnsuitable or EngineUnavailable.
    """

    def __init__(
        self, settings: Settings, *, engine_url: str = "", engine_wait_s: float = 0.0
    ) -> None:
        """`engine_url`: of an embedded engine that another process of this server runs.
        `engine_wait_s`: an engine that cannot be reached or takes no writes is waited for."""
        self.settings = settings
        self._engine_url = engine_url
        self._engine_wait_s = engine_wait_s
        self.keys = Keys(settings.key_space)
        self.closing = AsyncExitStack()

    async def open(self) -> None:
        """Start the embedded engine unless another is named; connect; read the directory."""
        url = self._engine_url or self.settings.redis_url or await self._embedded()
        self.client = engine_of(url, command_timeout_s=self.settings.engine_timeout_s)
        self.closing.push_async_callback(self.client.aclose)
        self.durability = self._durable(url)
        self.closing.push_async_callback(self.durability.aclose)
        log_events = self.settings.log_events
        audit_entries = self.settings.audit_entries
        self.store = RedisStore(
            self.client, keys=self.keys, log_events=log_events, audit_entries=audit_entries
        )
        self.room_store = RedisRooms(
            self.client,
            keys=self.keys,
            most=self.settings.rooms_per_user,
            log_events=log_events,
            audit_entries=audit_entries,
            job_lease_s=self.settings.job_lease_s,
        )
        self.organisation = RedisDirectory(
            self.client,
            keys=self.keys,
            carrier=default_carrier(self.settings),
            log_events=log_events,
            audit_entries=audit_entries,
            job_lease_s=self.settings.job_lease_s,
        )
        # Stores first: the client learns of their functions, and loads them when it connects.
        patience = Patience(self._engine_wait_s)
        await patience.reach(self.client.connect)
        await self.durability.open()
        self.layout = Layout(self.client, keys=self.keys, logs=lambda: logs_of(self))
        await patience.reach(self.layout.refuse_newer)
        await patience.reach(self.organisation.open)  # a new engine has no secret before
        await forget_others(self.client)
        secret = await self.organisation.secret()
        self.archive = archive_of(self.settings, self.store, secret=secret)
        self.closing.push_async_callback(self.archive.aclose)
        self.store.read_through(self.archive)
        self.directory = LiveDirectory(self.organisation)
        self.closing.push_async_callback(self.directory.aclose)
        await self.directory.start()
        self.live_store = RedisLive(
            self.client, keys=self.keys, job_lease_s=self.settings.job_lease_s
        )
        self.opt_outs = OptOuts(self.store, RedisWords(self.client, keys=self.keys))
        self.administration = Administration(
            self.store,
            self.organisation,
            self.directory,
            self.live_store.marks,
            self.opt_outs,
            self.room_store,
        )
        lifetime = Lifetime(self.settings.session_idle_s, self.settings.session_max_s)
        self.sessions = RedisSignIn(self.client, keys=self.keys, audit_entries=audit_entries)
        audit = RedisAudit(self.client, keys=self.keys, audit_entries=audit_entries)
        self.audit = Audit(audit, self.directory)
        self.uses = Uses(self.organisation)
        self.closing.push_async_callback(self.uses.aclose)
        self.identity = TokenIdentity(
            self.organisation,
            self.sessions,
            self.directory,
            secret=secret,
            connection_token_s=self.settings.connection_token_s,
            lifetime=lifetime,
            used=self.uses.used,
            embedding=self._embedding(),
        )
        passwords = Passwords()
        self.closing.callback(passwords.close)
        self.sign_in = SignIn(
            self.sessions,
            self.organisation,
            self.directory,
            passwords,
            lifetime=lifetime,
            rates=_rates(self.settings),
        )
        parts = (self.organisation, self.directory, self.administration, self.sign_in, passwords)
        self.setup = Setup(*parts)
        self.invites = Invites(*parts)

    async def close(self) -> None:
        """Stop everything, last started first."""
        await self.closing.aclose()

    async def _embedded(self) -> str:
        engine = EmbeddedEngine(Path(self.settings.data_dir))
        await engine.start()
        self.closing.push_async_callback(engine.stop)
        return engine.url

    def _durable(self, url: str) -> Durable:
        settings = self.settings
        try:
            return Durable(
                self.client,
                keys=self.keys,
                default=settings.dur_default,
                least=settings.dur_least,
                replicas=settings.dur_replicas,
                within_ms=max(1, settings.dur_timeout_ms),
                expected=Address.parse(url).topology == "sentinel",
            )
        except ValueError as error:
            raise ConfigError(f"BATONBOX_DUR_DEFAULT, BATONBOX_DUR_LEAST: {error}") from error

    def _embedding(self) -> Embedding | None:
        settings, jwks = self.settings, None
        if not settings.jwt_secret and not settings.jwt_jwks_url:
            return None
        if settings.jwt_jwks_url:
            try:
                check_jwks_url(settings.jwt_jwks_url)
            except ValueError as error:
                raise ConfigError(f"BATONBOX_JWT_JWKS_URL: {error}") from error
            jwks = Jwks(settings.jwt_jwks_url)
            self.closing.push_async_callback(jwks.aclose)
        try:
            return Embedding(
                secret=settings.jwt_secret,
                jwks=jwks,
                issuer=settings.jwt_issuer,
                audience=settings.jwt_audience,
            )
        except ValueError as error:
            raise ConfigError(f"BATONBOX_JWT_SECRET, BATONBOX_JWT_JWKS_URL: {error}") from error


def _rates(settings: Settings) -> Rates:
    return Rates(
        user_burst=max(1, settings.sign_in_user_burst),
        user_every_ms=round(1000 * settings.sign_in_user_every_s),
        address_burst=max(1, settings.sign_in_address_burst),
        address_every_ms=round(1000 * settings.sign_in_address_every_s),
    )
