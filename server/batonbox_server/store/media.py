"""Records of files over an engine."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from batonbox_server.domain.media import File
from batonbox_server.errors import EngineUnavailable, Refused
from batonbox_server.store.engine import Engine
from batonbox_server.store.keys import Keys
from batonbox_server.store.media_port import Expected, Kept, State
from batonbox_server.store.scripts import Scripts

__all__ = ["RedisMedia"]


class RedisMedia:
    """Implements `store.media_port.MediaStore`."""

    def __init__(self, client: Engine, *, keys: Keys) -> None:
        self._client = client
        self._org = keys.org
        self._scripts = Scripts(client)

    async def begin(self, file: File, *, owner: str, keep_ms: int, most: int) -> None:
        """See the port."""
        reply = await self._scripts.media_begin(
            self._org,
            id=file.id,
            owner=owner,
            type=file.type,
            size=file.size,
            name=file.name,
            keep_ms=keep_ms,
            most=most,
        )
        if reply[0] != b"ok":
            raise Refused(
                "media_refused",
                "Too many files of yours wait unsent: send some, or come back when the oldest are"
                " a day old.",
            )

    async def expect(
        self,
        media: str,
        *,
        carrier: str,
        url: str,
        name: str,
        keep_ms: int,
    ) -> bool:
        """See the port."""
        given = {"id": media, "carrier": carrier, "url": url, "name": name, "keep_ms": keep_ms}
        return bool((await self._scripts.media_expect(self._org, **given))[1])

    async def lease(self, *, lease_ms: int, n: int) -> list[Expected]:
        """See the port."""
        _, items = await self._scripts.media_lease(self._org, lease_ms=lease_ms, n=n)
        return [
            Expected(id_.decode(), carrier.decode(), url.decode(), name.decode(), attempt)
            for id_, carrier, url, name, attempt in items
        ]

    async def postpone(self, media: str, *, after_ms: int) -> None:
        """See the port."""
        await self._scripts.media_postpone(self._org, id=media, after_ms=after_ms)

    async def settle(self, file: File, *, reason: str = "") -> None:
        """See the port."""
        await self._scripts.media_settle(
            self._org,
            id=file.id,
            state="failed" if reason else "kept",
            type=file.type,
            size=file.size,
            name=file.name,
            reason=reason,
        )

    async def get(self, ids: Sequence[str]) -> dict[str, Kept]:
        """See the port."""
        if not ids:
            return {}
        _, files = await self._scripts.media_get(self._org, ids=" ".join(ids))
        return {found.file.id: found for found in map(_kept, files)}

    async def take(
        self, ids: Sequence[str], *, owner: str, cid: str, inbox: str, most: int
    ) -> list[File]:
        """See the port."""
        reply = await self._scripts.media_take(
            self._org, owner=owner, cid=cid, inbox=inbox, ids=" ".join(ids), most=most
        )
        match reply:
            case [b"ok", files]:
                return [File(i.decode(), t.decode(), size, n.decode()) for i, t, size, n in files]
            case [b"not_found", name]:
                told = f"media: you have uploaded no file {name.decode()}, or not in the last day."
                raise Refused("not_found", told)
            case [b"used", name]:
                told = f"media: {name.decode()} is part of another message; upload it again."
                raise Refused("media_refused", told)
            case _:
                told = f"media: the files of one message may have {most} bytes together."
                raise Refused("media_refused", told)

    async def release(self, ids: Sequence[str], *, owner: str, cid: str, keep_ms: int) -> None:
        """See the port."""
        given = {"owner": owner, "cid": cid, "ids": " ".join(ids), "keep_ms": keep_ms}
        await self._scripts.media_release(self._org, **given)

    async def bind(self, ids: Sequence[str], *, inbox: str) -> None:
        """See the port."""
        await self._scripts.media_bind(self._org, inbox=inbox, ids=" ".join(ids))

    async def discard(self, ids: Sequence[str], *, inbox: str) -> None:
        """See the port."""
        if ids:
            await self._scripts.media_discard(self._org, inbox=inbox, ids=" ".join(ids))

    async def sweep(self, *, n: int) -> list[str]:
        """See the port."""
        _, ids = await self._scripts.media_sweep(self._org, n=n)
        return [id_.decode() for id_ in ids]

    async def erased(self, ids: Sequence[str]) -> None:
        """See the port."""
        if ids:
            await self._execute("SREM", f"{self._org}:media_gone", *ids)

    async def _execute(self, *args: str | bytes | int) -> Any:
        try:
            return await self._client.execute(*args)
        except EngineUnavailable as error:
            raise Refused("unavailable") from error


def _kept(packed: list[Any]) -> Kept:
    media, state, kind, size, name, inbox, reason = packed
    file = File(media.decode(), kind.decode(), size, name.decode())
    return Kept(file, cast("State", state.decode()), inbox.decode(), reason.decode())
