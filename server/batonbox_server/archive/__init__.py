"""Archives of old messages and finished conversations, each behind `store.archive_port`."""
