"""Files of messages: uploaded and taken by a reply, or announced by a carrier; and given out."""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from typing import Any, Final

import structlog

from batonbox_server.carriers.port import MediaLink
from batonbox_server.domain.media import (
    LARGE_BYTES,
    TAKEN_WORDS,
    File,
    file_name,
    name_of_url,
    type_of,
)
from batonbox_server.errors import EngineUnavailable, Refused
from batonbox_server.session.ports import Principal
from batonbox_server.store.media_port import Kept, MediaFiles, MediaStore, Missing

from .media_links import CARRIER_S, PERSON_S, MediaLinks

__all__ = ["Media", "MediaLimits", "complete_media", "shown_media"]

_log = structlog.get_logger(__name__)
_UNSENT_MS: Final = 86_400_000
# What nobody routed by then is fetched again when it is.
_UNROUTED_MS: Final = 30 * _UNSENT_MS
_ID_BYTES: Final = 16
# Uploads under way on this node; each may hold as much as a message may have.
_AT_ONCE: Final = 32
_OWN_AT_ONCE: Final = 4
# Answers that leave open whether the command took effect.
_UNDECIDED: Final = frozenset({"unavailable", "internal", "durability_timeout"})


@dataclass(frozen=True, slots=True)
class MediaLimits:
    """Of one message together, and of what a user may leave unsent."""

    max_bytes: int
    max_files: int
    unsent_max_bytes: int


class Media:
    """`on_expected()` is told of files to fetch."""

    def __init__(
        self,
        store: MediaStore,
        files: MediaFiles,
        links: MediaLinks,
        *,
        limits: MediaLimits,
        on_expected: Callable[[], None],
    ) -> None:
        self._store = store
        self._files = files
        self._links = links
        self.limits = limits
        self._on_expected = on_expected
        self._arriving: Counter[str] = Counter()

    # Out

    @contextmanager
    def arriving(self, principal: Principal) -> Iterator[None]:
        """While an upload's bytes are in memory. Raises Refused("rate_limited") when many are."""
        own = self._arriving[principal.user]
        if own >= _OWN_AT_ONCE or self._arriving.total() >= _AT_ONCE:
            raise Refused("rate_limited", "Too many uploads at once; wait.", retry_ms=1000)
        self._arriving[principal.user] += 1
        try:
            yield
        finally:
            self._arriving[principal.user] -= 1
            self._arriving += Counter()  # drops those at 0

    async def upload(
        self, principal: Principal, *, data: bytes, declared: str, name: str
    ) -> dict[str, Any]:
        """Keep a file for a message to come; its map, and `warnings`.

        Raises:
            Refused: `media_refused` when it is empty, none of the kinds that are taken, or not
                what its content type says; or when too much waits unsent.
        """
        if not data:
            raise Refused("media_refused", "The file is empty.")
        kind = type_of(data, declared)
        if not kind:
            said = declared.partition(";")[0].strip()
            told = f"This is not what {said or 'its name'} says, or no kind that is taken:"
            raise Refused("media_refused", f"{told} {TAKEN_WORDS}.")
        file = File(secrets.token_hex(_ID_BYTES), kind, len(data), file_name(name, kind))
        await self._store.begin(
            file,
            owner=principal.user,
            keep_ms=_UNSENT_MS,
            most=self.limits.unsent_max_bytes,
        )
        await self._write(file, data)
        await self._store.settle(file)
        return {**file.as_map(), "warnings": ["large"] if file.size > LARGE_BYTES else []}

    @asynccontextmanager
    async def take(
        self, owner: str, *, cid: str, inbox: str, ids: Sequence[str]
    ) -> AsyncIterator[list[dict[str, Any]]]:
        """The files' maps, for the command of this id to carry; given back when it is refused.

        A retry of the command has them again; another command has to upload anew.

        Raises:
            Refused: `bad_request`, `not_found` (nobody's, or a colleague's), `media_refused`.
        """
        if not ids:
            yield []
            return
        if len(ids) > self.limits.max_files:
            raise Refused("bad_request", f"media: at most {self.limits.max_files} files.")
        if len(set(ids)) < len(ids) or not all(map(_is_id, ids)):
            raise Refused("bad_request", "media: each file's id once, as the upload gave it.")
        most = self.limits.max_bytes
        files = await self._store.take(ids, owner=owner, cid=cid, inbox=inbox, most=most)
        try:
            yield [file.as_map() for file in files]
        except Refused as refused:
            if refused.slug not in _UNDECIDED:
                await self._give_back(ids, owner, cid)
            raise

    async def _give_back(self, ids: Sequence[str], owner: str, cid: str) -> None:
        try:
            await self._store.release(ids, owner=owner, cid=cid, keep_ms=_UNSENT_MS)
        except (Refused, EngineUnavailable):
            _log.warning("media_not_given_back")  # it has to be uploaded again, that is all

    def links(self, maps: Sequence[Mapping[str, Any] | str]) -> tuple[MediaLink, ...]:
        """What a carrier fetches a message's files by; an older message's are URLs already."""
        return tuple(MediaLink(m) if isinstance(m, str) else self.link(m) for m in maps)

    def link(self, found: Mapping[str, Any]) -> MediaLink:
        """One file's."""
        url = self._links.url(found["id"], for_s=CARRIER_S)
        return MediaLink(url, found["type"], found["size"], found["name"], found["id"])

    # In

    async def inbound(
        self, carrier: str, provider_id: str, urls: Sequence[str]
    ) -> list[dict[str, Any]]:
        """The maps of a customer's files; each is noted to be fetched before this returns.

        The same message has the same ids however often it comes, and is fetched once.
        """
        found = []
        for index, url in enumerate(urls):
            file = File(self._links.id_of(carrier, provider_id, index), "", 0, _named(url, index))
            await self._store.expect(
                file.id, carrier=carrier, url=url, name=file.name, keep_ms=_UNROUTED_MS
            )
            found.append(file.as_map())
        if found:
            self._on_expected()
        return found

    async def received(self, maps: Sequence[Mapping[str, Any]], *, inbox: str) -> None:
        """The message with these files is in the inbox: they stay for as long as it."""
        if maps:
            await self._store.bind([found["id"] for found in maps], inbox=inbox)

    # Shown

    async def complete(self, messages: Sequence[list[Any]]) -> None:
        """Fill in what was not known of customers' files when their messages were stored."""
        await complete_media(self._store, messages)

    async def person_path(self, shown: Mapping[str, Any] | str) -> str:
        """Where a person who may see the message gets the file, for five minutes.

        Raises:
            Refused: `unavailable` with a pause while it is being fetched; `media_refused` when it
                could not be, or was never kept.
        """
        found = shown_media(shown)
        kept = await self._get(found["id"])
        if kept is None:
            raise Refused("media_refused", "This file was not kept; only its name is left.")
        _check_ready(kept)
        return self._links.path(kept.file.id, for_s=PERSON_S)

    async def signed(self, media: str, *, exp: int, sig: str) -> File:
        """The file behind a signed link.

        Raises:
            Refused: `unauthorized`, `token_expired`, `not_found`, `media_refused`, `unavailable`.
        """
        self._links.check(media, exp=exp, sig=sig)
        kept = await self._get(media)
        if kept is None:
            raise Refused("not_found", "The file was deleted.")
        _check_ready(kept)
        return kept.file

    async def read(self, file: File, *, begin: int, end: int) -> AsyncIterator[bytes]:
        """Its bytes [begin, end). Raises Refused("unavailable") when this node cannot see them."""
        try:
            return await self._files.read(file.id, begin=begin, end=end)
        except Missing as error:
            told = "This node does not have the file; let all nodes share a folder or a bucket."
            _log.warning("media_missing", media=file.id)
            raise Refused("unavailable", told) from error
        except OSError as error:
            _log.warning("media_unreadable", media=file.id, error=str(error))
            raise Refused("unavailable", "The file cannot be read now; try again.") from error

    async def _get(self, media: str) -> Kept | None:
        return (await self._store.get([media])).get(media) if _is_id(media) else None

    async def _write(self, file: File, data: bytes) -> None:
        try:
            await self._files.write(file.id, data)
        except OSError as error:
            _log.warning("media_unwritable", error=str(error))
            with suppress(Refused, EngineUnavailable):  # else it counts for a day, that is all
                await self._store.settle(file, reason="it could not be kept")
            raise Refused("unavailable", "The file cannot be kept now; send it again.") from error


async def complete_media(store: MediaStore, messages: Sequence[list[Any]]) -> None:
    """As `Media.complete`."""
    bodies = [message[7] for message in messages if len(message) > 7]
    carrying = [body for body in bodies if isinstance(body, dict) and body.get("media")]
    for body in carrying:
        body["media"] = [shown_media(found) for found in body["media"]]
    late = [m["id"] for body in carrying for m in body["media"] if m["id"] and not m["type"]]
    records = await store.get(late)
    for body in carrying:
        body["media"] = [_now(shown, records) for shown in body["media"]]


def shown_media(found: Mapping[str, Any] | str) -> dict[str, Any]:
    """A file of a message's body; messages from before files were kept have URLs, as names."""
    if isinstance(found, str):
        return File("", "", 0, _named(found, 0)).as_map()
    return dict(found)


def _now(shown: dict[str, Any], records: Mapping[str, Kept]) -> dict[str, Any]:
    kept = records.get(shown["id"])
    if kept is None or kept.state == "pending":
        return shown
    if kept.state == "failed":
        return {**shown, "reason": kept.reason}
    return kept.file.as_map()


def _named(url: str, index: int) -> str:
    name = name_of_url(url)
    return file_name(name, "") if name else f"file-{index + 1}"


def _is_id(media: str) -> bool:
    return len(media) == 2 * _ID_BYTES and set(media) <= set("0123456789abcdef")


def _check_ready(kept: Kept) -> None:
    if kept.state == "failed":
        raise Refused("media_refused", f"This file could not be shown: {kept.reason}.")
    if kept.state != "kept":
        told = "The file is still being fetched; try again in a moment."
        raise Refused("unavailable", told, retry_ms=2000)
