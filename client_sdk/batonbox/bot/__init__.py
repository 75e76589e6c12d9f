"""Bots: handlers for what happens in inboxes."""

from __future__ import annotations

from batonbox.bot._bot import Bot
from batonbox.bot._context import Context
from batonbox.bot._handlers import PASS, CallNext
from batonbox.bot._router import Router

__all__ = ["PASS", "Bot", "CallNext", "Context", "Router"]
