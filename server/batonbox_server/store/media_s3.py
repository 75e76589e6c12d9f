"""Files of messages in a bucket of S3, or of what speaks its protocol; takes the extra `s3`."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Final

import obstore
from obstore.exceptions import BaseError, NotFoundError
from obstore.store import S3Store

from batonbox_server.store.media_port import Missing

if TYPE_CHECKING:
    from obstore.store import ClientConfig, S3Config

__all__ = ["S3Files"]

_ID: Final = re.compile(r"[a-z0-9]{16,64}")
_PIECE: Final = 64 * 1024


class S3Files:
    """Implements `store.media_port.MediaFiles` over `s3://<bucket>/<prefix>`.

    What is empty comes from the standard environment: AWS_REGION, AWS_ACCESS_KEY_ID, a role, ….
    Raises ValueError for a URL or settings that cannot be used.
    """

    def __init__(
        self, url: str, *, endpoint: str = "", region: str = "", key_id: str = "", secret: str = ""
    ) -> None:
        if not url.startswith("s3://"):
            raise ValueError("give s3://<bucket>/<prefix>")
        config: S3Config = {"virtual_hosted_style_request": False}
        if endpoint:
            config["endpoint"] = endpoint
        if region:
            config["region"] = region
        if key_id:
            config["access_key_id"] = key_id
        if secret:
            config["secret_access_key"] = secret
        options: ClientConfig = {
            "timeout": "30s",
            "allow_http": endpoint.startswith("http://"),
        }
        try:
            self._store = S3Store.from_url(url, config=config, client_options=options)
        except BaseError as error:
            raise ValueError(str(error)) from error

    async def write(self, media: str, data: bytes) -> None:
        """See the port."""
        try:
            await obstore.put_async(self._store, _key(media), data)
        except BaseError as error:
            raise OSError(f"the bucket took no file: {_said(error)}") from error

    async def read(self, media: str, *, begin: int, end: int) -> AsyncIterator[bytes]:
        """See the port."""
        try:
            found = await obstore.get_range_async(self._store, _key(media), start=begin, end=end)
        except (NotFoundError, FileNotFoundError) as error:
            raise Missing(media) from error
        except BaseError as error:
            raise OSError(f"the bucket gave no file: {_said(error)}") from error
        view = memoryview(found)

        async def pieces() -> AsyncIterator[bytes]:
            for at in range(0, len(view), _PIECE):
                yield bytes(view[at : at + _PIECE])

        return pieces()

    async def erase(self, media: str) -> None:
        """See the port."""
        try:
            await obstore.delete_async(self._store, _key(media))
        except (NotFoundError, FileNotFoundError):
            return
        except BaseError as error:
            raise OSError(f"the bucket erased no file: {_said(error)}") from error


def _key(name: str) -> str:
    if not _ID.fullmatch(name):
        raise ValueError(f"not an id of a file: {name!r}")
    return f"{name[:2]}/{name}"


def _said(error: Exception) -> str:
    """One line: what S3 says spans many, and may repeat our request."""
    return (str(error).strip().splitlines() or ["no answer"])[0][:200]
