"""Webhooks as admins work with them: made, changed, tried out, and looked after."""

from __future__ import annotations

import base64
import secrets
import time
import uuid
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from batonbox_server.carriers.hook_port import Poster
from batonbox_server.domain.hook_events import EVENTS
from batonbox_server.errors import Refused
from batonbox_server.store.hook_port import Delivered, Hook, HookStore, HookUpdate, Log

from .directory import LiveDirectory
from .hook_lines import Event
from .hook_turn import GONE, Render, delivered_of
from .hook_worker import HookWorker

__all__ = ["Webhooks"]

_OLD_SECRET_MS: Final = 24 * 3600 * 1000
_KEPT: Final = 500


class Webhooks:
    """Every change returns once it is durable and the logs' places obey it."""

    def __init__(
        self,
        store: HookStore,
        directory: LiveDirectory,
        worker: HookWorker,
        poster: Poster,
        render: Render,
        *,
        timeout_s: float,
    ) -> None:
        self._store = store
        self._directory = directory
        self._worker = worker
        self._poster = poster
        self._render = render
        self._timeout_s = timeout_s

    async def all(self) -> list[tuple[Hook, Log]]:
        """The webhooks, the oldest first, with how it goes; their deliveries are left out."""
        hooks = [hook for hook in (await self._store.hooks()).values() if not hook.deleted]
        hooks.sort(key=lambda hook: (hook.created_ms, hook.id))
        return [(hook, await self._store.deliveries(hook.id, n=0)) for hook in hooks]

    async def create(
        self, url: str, *, label: str, events: tuple[str, ...], inboxes: tuple[str, ...]
    ) -> Hook:
        """Events from now on go there.

        Refused: `bad_request`, `not_found` of an inbox, `conflict` when there are too many.
        """
        self._check(url=url, events=events, inboxes=inboxes)
        hook = Hook(
            id=f"whk_{uuid.uuid4().hex}",
            url=url,
            secret=_new_secret(),
            created_ms=_now_ms(),
            label=label,
            events=events,
            inboxes=inboxes,
        )
        made = await self._store.create(hook)
        await self._worker.finish(made)
        return made

    async def edit(self, hook: str, **changed: Any) -> tuple[Hook, Log]:
        """Change url, label, events, inboxes or active; None is left as it was.

        An inbox that is added begins with what happens there from now on, and so do all when the
        webhook is switched on.  A new URL, or being switched on, is no reason to wait any longer.
        """
        given = {name: value for name, value in changed.items() if value is not None}
        self._check(**{name: given[name] for name in ("url", "events", "inboxes") if name in given})
        made = await self._update(hook, lambda old: replace(old, **given))
        await self._worker.finish(made)
        if "url" in given:
            await self._hurry(hook)
        return made, await self._store.deliveries(hook, n=0)

    async def delete(self, hook: str) -> None:
        """Nothing goes there any more; its deliveries are erased."""
        gone = await self._update(hook, lambda old: replace(old, deleted=True, active=False))
        await self._worker.finish(gone)

    async def rotate(self, hook: str) -> Hook:
        """A new secret; the old one signs along for a day."""

        def change(old: Hook) -> Hook:
            until_ms = _now_ms() + _OLD_SECRET_MS
            return replace(old, secret=_new_secret(), old_secret=old.secret, old_until_ms=until_ms)

        return await self._update(hook, change)

    async def test(self, hook: str) -> Delivered:
        """Send a test event now, once."""
        found = await self._existing(hook)
        return await self._send(found, self._render.test(found, _now_ms()), inbox="", state="")

    async def resend(self, hook: str, delivery: str) -> Delivered:
        """Send a delivery again now, once, under its id; Refused("not_found")."""
        found = await self._existing(hook)
        kept = await self._store.delivery(hook, delivery)
        if kept is None:
            raise Refused("not_found", "There is no such delivery (any more).")
        old, body = kept
        event = Event(old.id, old.event, old.conv, old.at_ms, body, old.attempts)
        return await self._send(found, event, inbox=old.inbox, state=old.state)

    async def deliveries(self, hook: str) -> list[Delivered]:
        """Those that are kept, the newest first; Refused("not_found")."""
        await self._existing(hook)
        return (await self._store.deliveries(hook, n=_KEPT)).items

    async def _send(self, hook: Hook, event: Event, *, inbox: str, state: str) -> Delivered:
        answer = await self._poster.post(
            hook.url,
            secrets=hook.secrets(_now_ms()),
            message_id=event.id,
            body=event.body,
            timeout_s=self._timeout_s,
        )
        event.attempts += 1
        failed = state if state in {"retrying", "delivered"} else "failed"
        made = delivered_of(event, answer, state="delivered" if answer.ok else failed, inbox=inbox)
        await self._store.record(hook.id, made, body=event.body, now_ms=_now_ms(), counts=answer.ok)
        if not await self._store.confirm(hook.id):
            return made
        if answer.status == GONE and hook.active:
            await self._update(hook.id, lambda old: replace(old, active=False))
        if answer.ok:
            await self._hurry(hook.id)
        return made

    async def _update(self, hook: str, change: HookUpdate) -> Hook:
        made = await self._store.update(hook, change)
        self._worker.know(made)
        return made

    async def _hurry(self, hook: str) -> None:
        """The receiver can be reached: what is held need not wait for its time."""
        for inbox in list(self._directory.inboxes):
            if await self._store.hurry(inbox=inbox, hook=hook):
                self._worker.poke(inbox)

    async def _existing(self, hook: str) -> Hook:
        found = (await self._store.hooks()).get(hook)
        if found is None or found.deleted:
            raise Refused("not_found", f"There is no webhook {hook!r}.")
        return found

    def _check(self, **given: Any) -> None:
        if "url" in given:
            try:
                self._poster.check(given["url"])
            except ValueError as error:
                raise Refused("bad_request", f"url: {error}.") from error
        _known(given.get("events", ()), EVENTS, "bad_request", "events: there is no event")
        inboxes = given.get("inboxes", ())
        _known(inboxes, self._directory.destinations, "not_found", "There is no inbox")


def _known(names: tuple[str, ...], known: Mapping[str, Any], slug: str, says: str) -> None:
    for name in names:
        if name not in known:
            raise Refused(slug, f"{says} {name!r}.")


def _new_secret() -> str:
    return "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()


def _now_ms() -> int:
    return int(time.time() * 1000)
