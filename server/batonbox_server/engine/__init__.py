"""The embedded engine: found, started, supervised and stopped with the server."""

from .embedded import EmbeddedEngine
from .locate import EngineBinary, locate

__all__ = ["EmbeddedEngine", "EngineBinary", "locate"]
