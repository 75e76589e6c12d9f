"""Every key of the engine is spelled here and in `lua/lib/keys.lua`, nowhere else."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Keys:
    """Key prefixes; `space` separates organisations or test runs on one engine."""

    space: str = "bb"

    def inbox(self, inbox: str) -> str:
        """Prefix of an inbox's keys; the braces make them one Cluster slot."""
        return f"{self.space}{{ib:{inbox}}}"

    @property
    def org(self) -> str:
        """Prefix of the organisation's keys."""
        return f"{self.space}{{org}}"

    @property
    def contacts(self) -> str:
        """Prefix of the keys of the organisation's contacts."""
        return f"{self.space}{{ct}}"

    def number(self, e164: str) -> str:
        """Prefix of a phone number's keys."""
        return f"{self.space}{{num:{e164}}}"

    def hook(self, hook: str) -> str:
        """Prefix of the keys of a webhook's deliveries, which span inboxes."""
        return f"{self.space}{{hk:{hook}}}"

    def probe(self, node: str) -> str:
        """Prefix of the channel on which a node speaks to itself; nothing is kept under it."""
        return f"{self.space}{{pb:{node}}}"

    def inbox_of(self, prefix: str) -> str:
        """The inbox whose prefix this is; "" for any other prefix."""
        head = f"{self.space}{{ib:"
        return prefix[len(head) : -1] if prefix.startswith(head) else ""

    @staticmethod
    def waited(prefix: str) -> str:
        """What is written before a WAIT is about a prefix; it means nothing."""
        return f"{prefix}:wait"

    @staticmethod
    def channel(prefix: str) -> str:
        """The sharded channel on which a log's events are published."""
        return f"{prefix}:ev"
