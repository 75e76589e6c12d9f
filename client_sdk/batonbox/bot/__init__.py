"""Bots: handlers for what happens in inboxes."""
