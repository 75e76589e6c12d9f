"""The retention rule of a node, put together: who may say it, and who carries it out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from batonbox_server.service.purging import Purger
from batonbox_server.service.retention import Retention
from batonbox_server.store.audit import RedisAudit
from batonbox_server.store.media import RedisMedia
from batonbox_server.store.retention import RedisRetention

from .node_archive import logs_of

if TYPE_CHECKING:
    from batonbox_server.node_organisation import Organisation

__all__ = ["purger_of", "retention_of"]


def retention_of(node: Organisation) -> Retention:
    """What admins say."""
    audit = RedisAudit(node.client, keys=node.keys, audit_entries=node.settings.audit_entries)
    return Retention(_rules(node), node.store, node.archive, audit, lambda: logs_of(node))


def purger_of(node: Organisation) -> Purger:
    """What the archiver does of it."""
    media = RedisMedia(node.client, keys=node.keys)
    return Purger(node.store, node.archive, media, _rules(node).rules)


def _rules(node: Organisation) -> RedisRetention:
    return RedisRetention(node.client, node.organisation, keys=node.keys)
