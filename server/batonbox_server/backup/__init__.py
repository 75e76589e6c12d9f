"""Backups of a server with an embedded engine: taken while it serves, and restored."""
