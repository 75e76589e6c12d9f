"""The composition root: one server process's parts, put together, started and stopped in order."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.applications import Starlette
from starlette.routing import Route

from batonbox_server import __version__
from batonbox_server.asgi.admission import Bounds, LoadShedder
from batonbox_server.asgi.apidocs import routes_of
from batonbox_server.asgi.app import build_app
from batonbox_server.asgi.channel import EngineChannel
from batonbox_server.asgi.hook_body import HookBody
from batonbox_server.asgi.origins import Origins
from batonbox_server.asgi.rates import RequestRates
from batonbox_server.asgi.services import Limits, Readiness, Services
from batonbox_server.asgi.socket import CommandAdmission, SocketPump
from batonbox_server.asgi.web import WebClient
from batonbox_server.carriers.poster import HttpPoster
from batonbox_server.config import ConfigError, Settings
from batonbox_server.domain.model import is_room
from batonbox_server.gen.api import api_docs
from batonbox_server.hub.frames import Moved
from batonbox_server.hub.hub import Hub
from batonbox_server.hub.hub import Limits as HubLimits
from batonbox_server.hub.probe import Probe
from batonbox_server.node_archive import archiver_of
from batonbox_server.node_carriers import NodeCarriers, webhook_secret
from batonbox_server.node_contacts import NodeContacts
from batonbox_server.node_export import Exports
from batonbox_server.node_layout import migrated
from batonbox_server.node_media import NodeMedia
from batonbox_server.node_organisation import Organisation
from batonbox_server.node_retention import purger_of, retention_of
from batonbox_server.node_search import NodeSearch
from batonbox_server.service.answers import Answers
from batonbox_server.service.bot_groups import BotGroups
from batonbox_server.service.commands import InboxCommands
from batonbox_server.service.diagnosis import Diagnosis
from batonbox_server.service.hook_lines import Pace
from batonbox_server.service.hook_worker import HookWorker
from batonbox_server.service.intake import Intake
from batonbox_server.service.interactions import Interactions
from batonbox_server.service.live import Live
from batonbox_server.service.oidc import Oidc
from batonbox_server.service.outbox import Outbox
from batonbox_server.service.presence import LivePresence
from batonbox_server.service.race import Races
from batonbox_server.service.reads import InboxReads
from batonbox_server.service.reassign import Reassign
from batonbox_server.service.room_commands import RoomCommands
from batonbox_server.service.rooms import Rooms
from batonbox_server.service.sending import Sender
from batonbox_server.service.timers import Timers
from batonbox_server.service.unrouted import Unrouted
from batonbox_server.service.webhooks import Webhooks
from batonbox_server.session.limits import SessionLimits
from batonbox_server.store.groups import RedisGroups
from batonbox_server.store.holdings import RedisHoldings
from batonbox_server.store.hooks import RedisHooks
from batonbox_server.store.keys import Keys
from batonbox_server.store.live import marks_of
from batonbox_server.store.media import RedisMedia
from batonbox_server.store.oidc import RedisOidc
from batonbox_server.store.pace import EnginePace
from batonbox_server.store.phones import EnginePhones
from batonbox_server.store.rates import RedisRates
from batonbox_server.tasks import cancel_all, spawn

__all__ = ["Node", "Organisation"]


class Node(Organisation):
    """One server process; `app` is its ASGI application once it is open.

    `demo`: it shows itself on somebody's own machine, and lets them in more easily. `metrics` gives
    those of all workers where it is one of several.
    """

    app: Starlette

    def __init__(
        self,
        settings: Settings,
        *,
        demo: bool = False,
        engine_url: str = "",
        metrics: Callable[[], Awaitable[bytes]] | None = None,
    ) -> None:
        super().__init__(settings, engine_url=engine_url, engine_wait_s=settings.engine_wait_s)
        self.demo = demo
        self._metrics = metrics

    async def open(self) -> None:
        """See Organisation; then follow the organisation's log and begin to work."""
        await super().open()
        settings = self.settings
        self.channel = EngineChannel(self.client)
        self.probe = _probe(self.channel, self.keys)
        self.hub = Hub(
            logs=self.store,
            channel=self.channel,
            log_of=self.keys.inbox,
            channel_of=self.keys.channel,
            limits=_hub_limits(settings),
            on_status=self._on_status,
            rooms=self.room_store,
            is_room=is_room,
        )
        self.carriers = NodeCarriers(
            settings, self.client, self.organisation, keys=self.keys, closing=self.closing
        )
        await self.carriers.start()
        files = NodeMedia(
            settings,
            RedisMedia(self.client, keys=self.keys),
            self.carriers.accounts.get,
            secret=await self.organisation.secret(),
            closing=self.closing,
        )
        self.media, self.media_worker = files.media, files.worker
        accounts = self.carriers.accounts
        sender = Sender(
            self.store,
            self.directory,
            accounts,
            self.media,
            EnginePace(self.client, keys=self.keys),
            status_url=accounts.status_url,
        )
        self.outbox = Outbox(
            self.store,
            self.directory,
            sender,
            self.durability,
            lease_s=settings.outbox_lease_s,
            attempts=settings.outbox_attempts,
            sweep_s=settings.outbox_sweep_s,
        )
        self.commands = InboxCommands(
            self.store,
            self.directory,
            self.administration,
            self.media,
            RoomCommands(
                self.room_store,
                self.store,
                self.directory,
                self.media,
                text_max_chars=settings.text_max_chars,
            ),
            durability=self.durability,
            text_max_chars=settings.text_max_chars,
            on_outbound=self.outbox.poke,
        )
        self.intake = Intake(
            self.store,
            self.organisation,
            self.media,
            self.opt_outs,
            Answers(self.directory, accounts),
            self.durability,
            on_outbound=self.outbox.poke,
            on_awaited=lambda: self.archiver.hurry(),  # noqa: PLW0108 - made later
        )
        self.unrouted = Unrouted(self.organisation, self.administration, self.intake)
        self.races = Races(self.intake, self.commands, self.administration, self.directory)
        self.presence = LivePresence(
            self.live_store,
            self.store,
            self.directory,
            self.administration,
            linger_s=settings.presence_linger_s,
        )
        self.closing.push_async_callback(self.presence.aclose)
        await self.presence.start()
        self.timers = Timers(self.store, self.administration, self.directory, self.sessions)
        self.archiver = archiver_of(self, purger_of(self), on_round=self.unrouted.awaited)
        self._tell_webhooks()
        self.contacts = NodeContacts(settings, self.client, keys=self.keys)
        await self.contacts.store.open()
        self.search = NodeSearch(self, contacts=self.contacts.store)
        await self.search.open()
        self._assemble()
        await self._begin()
        await self._migrate()

    async def drain(self, *, within_s: float, replaced: bool = False) -> None:
        """Let the clients move elsewhere; `replaced`: to this port, where another worker serves.

        Otherwise it stops being ready.
        """
        self.readiness.draining = not replaced
        self.presence.drain()
        await self.pump.drain(within_s=within_s)

    def _assemble(self) -> None:
        settings = self.settings
        limits = SessionLimits.taken_from(settings)
        reads = InboxReads(self.store, self.room_store, self.directory, self.media)
        rooms = Rooms(self.room_store)
        admission = CommandAdmission(limits)
        self.shedder = LoadShedder(Bounds.taken_from(settings), engine=self.client.load)
        self.readiness = Readiness(
            engine=self._engine,
            degraded=lambda: self.hub.degraded,
            counts=self._counts,
            archive=lambda: self.archiver.state,
            load=self.shedder.told,
            channel=self.probe.told,
        )
        web = WebClient(loopback=settings.loopback)
        self.pump = SocketPump(
            hub=self.hub,
            identity=self.identity,
            commands=self.commands,
            reads=reads,
            directory=self.directory,
            limits=limits,
            admission=admission,
            origins=settings.origins.split(","),
            shedder=self.shedder,
            write_timeout_s=settings.write_timeout_s,
            build=web.build,
            used=self.uses.used,
            attendance=self.presence,
            groups=BotGroups(RedisGroups(self.client, keys=self.keys)),
        )
        self.live = Live(
            self.live_store,
            self.directory,
            self.pump,
            self.presence,
            viewers=self.hub.viewers,
            build=self.pump.build,
        )
        self.presence.on_change, self.presence.hurry = self.pump.presence, self.live.hurry
        self.outbox.sharers = self.timers.sharers = self.live.sharers
        self.exports = Exports(self, reads, self.contacts.store)
        self.store.on_write(self._written)
        self.room_store.on_write(self._written_in_room)
        services = Services(
            store=self.store,
            organisation=self.organisation,
            directory=self.directory,
            administration=self.administration,
            identity=self.identity,
            sign_in=self.sign_in,
            setup=self.setup,
            invites=self.invites,
            commands=self.commands,
            reads=reads,
            rooms=rooms,
            interactions=Interactions(reads, rooms),
            intake=self.intake,
            media=self.media,
            unrouted=self.unrouted,
            diagnosis=Diagnosis(
                self.store, self.organisation, self.intake, self.hub, self.carriers.accounts
            ),
            webhooks=self.webhooks,
            contacts=self.contacts.contacts,
            exports=self.exports,
            search=self.search.service(reads),
            audit=self.audit,
            retention=retention_of(self),
            live=self.live,
            presence=self.presence,
            reassign=Reassign(
                RedisHoldings(self.client, keys=self.keys), self.commands, self.directory
            ),
            admission=admission,
            shedder=self.shedder,
            rates=RequestRates(RedisRates(self.client, keys=self.keys), settings),
            limits=Limits(settings.message_max_bytes, settings.text_max_chars),
            readiness=self.readiness,
            metrics=self._metrics,
            accounts=self.carriers.accounts,
            account_admin=self.carriers.admin,
            phones=EnginePhones(self.client, keys=self.keys) if settings.loopback else None,
            races=self.races if settings.loopback else None,
            webhook_secret=webhook_secret(settings),
            origins=Origins(settings.origins.split(",")),
            oidc=self._oidc(),
            demo=self.demo,
            build=self.pump.build,
        )
        more = [Route("/v1/ws", self.pump), *routes_of(api_docs), *web.routes]
        self.app = build_app(services, more=more, sockets={"/v1/ws": self.pump})

    async def _begin(self) -> None:
        stack = self.closing
        self.client.on_state = self._on_engine
        self.client.on_replies = self.hub.flush.soon
        await self.channel.connect(self.hub)
        stack.push_async_callback(self.channel.aclose)
        self.probe.start()
        stack.push_async_callback(self.probe.aclose)
        await self.hub.start()
        stack.push_async_callback(self.hub.close)
        await self.hub.follow(self.keys.org, self._on_org_event, self._on_org_reset, self._on_moved)
        await self.contacts.follow(self.hub, self.pump.contacts)
        stack.push_async_callback(self.contacts.aclose)
        await self.pump.start()
        stack.push_async_callback(self.pump.close)
        self.shedder.start()
        stack.callback(self.shedder.close)
        self.hook_worker.start()
        stack.push_async_callback(self.hook_worker.aclose)
        self.outbox.start()
        stack.push_async_callback(self.outbox.aclose)
        self.live.start()
        stack.push_async_callback(self.live.aclose)
        self.media_worker.start()
        stack.push_async_callback(self.media_worker.aclose)
        self.timers.start()
        stack.push_async_callback(self.timers.aclose)
        self.search.start()
        self.archiver.start()
        stack.push_async_callback(self.archiver.aclose)
        stack.push_async_callback(self.commands.aclose)
        stack.push_async_callback(self.races.aclose)
        self.readiness.started = True

    async def _migrate(self) -> None:
        """Bring older data to the present layout, while it is served."""
        if await self.layout.is_behind():
            tasks: set[asyncio.Task[Any]] = set()
            spawn(tasks, migrated(self.layout), name="migration")
            self.closing.push_async_callback(cancel_all, tasks)

    def _oidc(self) -> Oidc | None:
        if not self.settings.oidc_issuer and not self.settings.oidc_client_id:
            return None
        store = RedisOidc(self.client, self.organisation, keys=self.keys)
        try:
            oidc = Oidc.taken_from(self.settings, store, self.sign_in, self.directory)
        except ValueError as error:
            raise ConfigError(str(error)) from error
        self.closing.push_async_callback(oidc.aclose)
        return oidc

    def _tell_webhooks(self) -> None:
        settings, body = self.settings, HookBody(lambda: self.directory.name)
        timeout_s = settings.webhooks_timeout_s
        store = RedisHooks(self.client, self.organisation, keys=self.keys)
        agent = f"batonbox-server/{__version__}"
        poster = HttpPoster(private=settings.webhooks_private, agent=agent)
        self.closing.push_async_callback(poster.aclose)
        parts = (store, self.directory)
        self.hook_worker = HookWorker(
            *parts,
            poster,
            body,
            pace=Pace(
                max(1, settings.webhooks_attempts),
                settings.webhooks_first_pause_s,
                settings.webhooks_longest_pause_s,
            ),
            timeout_s=timeout_s,
            sweep_s=settings.webhooks_sweep_s,
        )
        self.webhooks = Webhooks(*parts, self.hook_worker, poster, body, timeout_s=timeout_s)

    def _written(self, prefix: str) -> None:
        inbox = self.keys.inbox_of(prefix)
        self.live.changed()
        self.hook_worker.poke(inbox)
        self._written_to(inbox)

    def _written_in_room(self, prefix: str) -> None:
        self._written_to(self.keys.inbox_of(prefix))

    def _written_to(self, log: str) -> None:
        self.archiver.written(log)
        self.search.feed.poke(log)

    def _on_org_event(self, seq: int, meta: dict[str, Any], body: Any) -> None:
        self.directory.on_event(seq, meta, body)
        self.hook_worker.on_event(seq, meta, body)
        self.carriers.accounts.on_event(seq, meta, body)
        if meta["type"] == "retention_changed":
            self.archiver.hurry()
        if meta["type"] == "room_changed":
            self.hub.rooms_changed(body["users"])

    def _on_moved(self, moved: Moved) -> None:
        self.presence.told(moved.was, moved.version, marks_of(moved.flat))

    def _on_org_reset(self) -> None:
        self.directory.on_reset()
        self.hook_worker.on_reset()
        self.carriers.accounts.on_reset()
        self.hub.rooms_changed(None)

    def _engine(self) -> dict[str, Any]:
        client = self.client
        return {
            "up": client.state,
            "name": client.server_name,
            "version": client.server_version,
            "away": list(client.away),
        }

    def _counts(self) -> dict[str, float]:
        open_now = {"connections": len(self.pump.connections), **self.shedder.counts}
        counts = {**open_now, **self.hub.counts, **self.probe.counts, **self.durability.counts}
        return {**counts, **self.archiver.counts, **self.search.counts}

    def _on_engine(self, up: bool) -> None:
        self._on_status(not up or self.hub.degraded)

    def _on_status(self, degraded: bool) -> None:
        self.pump.status(degraded or not self.client.state)


def _probe(channel: EngineChannel, keys: Keys) -> Probe:
    """Speaks to this node alone."""
    name = keys.channel(keys.probe(secrets.token_hex(8)))
    probe = Probe(channel, name=name)
    channel.pass_to(name, probe.heard)
    return probe


def _hub_limits(settings: Settings) -> HubLimits:
    return HubLimits(
        ring_events=settings.ring_events,
        ring_bytes=settings.ring_bytes,
        check_interval_s=settings.check_interval_s,
        badge_interval_s=settings.badge_interval_s,
        engine_timeout_s=settings.engine_timeout_s,
        write_batch_bytes=settings.write_batch_bytes,
    )
