"""Several processes that serve one port, and the one that starts and replaces them."""

from .serve import serve_workers
from .worker import started, work

__all__ = ["serve_workers", "started", "work"]
