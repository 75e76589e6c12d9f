"""The files of a node's messages, put together: where they lie, how they come and go."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AsyncExitStack
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from batonbox_server import __version__
from batonbox_server.carriers.fetcher import HttpFetcher
from batonbox_server.carriers.port import Carrier
from batonbox_server.config import ConfigError, Settings
from batonbox_server.service.media import Media, MediaLimits
from batonbox_server.service.media_links import MediaLinks
from batonbox_server.service.media_worker import MediaWorker
from batonbox_server.store.media_files import LocalFiles
from batonbox_server.store.media_port import MediaFiles, MediaStore

__all__ = ["NodeMedia"]

_MOST_FILES: Final = 10  # as the wire has it


class NodeMedia:
    """`media` is used, `worker` is started and closed by the node."""

    def __init__(
        self,
        settings: Settings,
        store: MediaStore,
        carrier_of: Callable[[str], Carrier | None],
        *,
        secret: bytes,
        closing: AsyncExitStack,
    ) -> None:
        files, agent = _files(settings), f"batonbox-server/{__version__}"
        fetcher = HttpFetcher(private=settings.media_private, agent=agent)
        closing.push_async_callback(fetcher.aclose)
        self.worker = MediaWorker(
            store,
            files,
            fetcher,
            carrier_of,
            max_bytes=settings.media_max_bytes,
            timeout_s=settings.media_timeout_s,
            attempts=settings.media_attempts,
        )
        self.media = Media(
            store,
            files,
            MediaLinks(secret, public_url=settings.public_url),
            limits=MediaLimits(
                max_bytes=settings.media_max_bytes,
                max_files=min(_MOST_FILES, settings.media_max_files),
                unsent_max_bytes=settings.media_unsent_max_bytes,
            ),
            on_expected=self.worker.poke,
        )


def _files(settings: Settings) -> MediaFiles:
    if not settings.media_url:
        return LocalFiles(Path(settings.data_dir) / "media")
    if find_spec("obstore") is None:
        raise ConfigError("BATONBOX_MEDIA_URL takes `pip install batonbox-server[s3]`")
    from batonbox_server.store.media_s3 import S3Files

    try:
        return S3Files(
            settings.media_url,
            endpoint=settings.media_s3_endpoint,
            region=settings.media_s3_region,
            key_id=settings.media_s3_key_id,
            secret=settings.media_s3_secret,
        )
    except ValueError as error:
        raise ConfigError(f"BATONBOX_MEDIA_URL: {error}") from error
