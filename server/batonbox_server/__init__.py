"""The batonbox server: one owner, nothing missed, nothing doubled."""

__version__ = "0.1.0"
