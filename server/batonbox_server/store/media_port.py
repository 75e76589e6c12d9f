"""What files of messages need from the store: a record of each, and a place for their bytes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from batonbox_server.domain.media import File

__all__ = ["Expected", "Kept", "MediaFiles", "MediaStore", "Missing"]

State = Literal["writing", "pending", "kept", "failed"]


@dataclass(frozen=True, slots=True)
class Kept:
    """A file's record: `pending` until it is fetched from its carrier, `reason` why it never was.

    `inbox` is "" until a message carries it.
    """

    file: File
    state: State
    inbox: str
    reason: str


@dataclass(frozen=True, slots=True)
class Expected:
    """A file to fetch, leased; `attempt` counts from 1."""

    id: str
    carrier: str
    url: str
    name: str
    attempt: int


class Missing(Exception):
    """This node cannot see the file's bytes."""


class MediaFiles(Protocol):
    """Bytes under ids of ours; nothing a person typed ever becomes part of where they lie."""

    async def write(self, media: str, data: bytes) -> None:
        """Keep them durably, whole or not at all; again over the same ones. Raises OSError."""

    async def read(self, media: str, *, begin: int, end: int) -> AsyncIterator[bytes]:
        """Bytes [begin, end) in pieces. Raises Missing, OSError before the first piece."""

    async def erase(self, media: str) -> None:
        """Forget them; nothing happens when there are none. Raises OSError."""


class MediaStore(Protocol):
    """Records of files, in the organisation's slot. Everything may be called again."""

    async def begin(self, file: File, *, owner: str, keep_ms: int, most: int) -> None:
        """An upload's bytes are about to be written: erased after `keep_ms` unless a message takes
        it. Refused("media_refused") when `most` bytes of this owner wait unsent.
        """

    async def expect(
        self,
        media: str,
        *,
        carrier: str,
        url: str,
        name: str,
        keep_ms: int,
    ) -> bool:
        """A carrier has a file for us, to be fetched; False when that was known."""

    async def lease(self, *, lease_ms: int, n: int) -> list[Expected]:
        """Up to n files that are to be fetched now; nobody else gets them before the lease ends."""

    async def postpone(self, media: str, *, after_ms: int) -> None:
        """Fetch it later."""

    async def settle(self, file: File, *, reason: str = "") -> None:
        """The bytes are written; or, with a reason, there never will be any."""

    async def get(self, ids: Sequence[str]) -> dict[str, Kept]:
        """The records that there are, by id."""

    async def take(
        self, ids: Sequence[str], *, owner: str, cid: str, inbox: str, most: int
    ) -> list[File]:
        """Bind uploads of the owner to this command of theirs, all of them or none.

        Refused: `not_found`, or `media_refused` when another command has one, or they are too big.
        """

    async def release(self, ids: Sequence[str], *, owner: str, cid: str, keep_ms: int) -> None:
        """The command was refused: undo `take`, unless a retry of it has taken them since."""

    async def bind(self, ids: Sequence[str], *, inbox: str) -> None:
        """A customer's message with these files is in the inbox."""

    async def discard(self, ids: Sequence[str], *, inbox: str) -> None:
        """The messages of this inbox that carried them are erased; others' files stay."""

    async def sweep(self, *, n: int) -> list[str]:
        """Give up what nobody took in time and what deleted inboxes had: ids to erase, up to n."""

    async def erased(self, ids: Sequence[str]) -> None:
        """Their bytes are gone."""
