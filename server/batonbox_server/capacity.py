"""What an organisation needs: workers, engine, memory and network, from what one thing costs.

A pure model. Its constants are measurements (`Costs`), its answer a `Plan`; more of anything asked
for never needs less of anything. `capacity_simulation.py` asks how long things wait.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any, Final

__all__ = ["MEASURED", "Costs", "Demand", "Part", "Plan", "cost_table", "planned"]

MEASURED: Final = (
    "2026-11-30, two cores of a quiet AMD EPYC virtual machine, Python 3.11, Valkey 9.1 with"
    " `appendfsync always`: `python -m tests.bench.capacity` and `python -m tests.bench --only"
    " growth,idle`; badge_bytes, engine_publish_us and engine_return_us are estimates"
)
# A core that is busier than this queues: at 60 % a random arrival waits 1.5 times its own service.
BUSY_MOST: Final = 0.6
WORKERS_MOST: Final = 1024
_DAY_S: Final = 86_400
_BADGES_PER_S: Final = 10.0  # badge_interval_s
_CHECK_S: Final = 10.0  # check_interval_s
_LOG_EVENTS: Final = 10_000  # log_events
_AUDIT_ENTRIES: Final = 100_000  # audit_entries
_RING_EVENTS: Final = 4096  # ring_events
_PROVIDER_DAYS: Final = 7
_PER_CONVERSATION: Final = 10  # messages of a conversation's life, unless said otherwise
# Beside each message of a customer: replies, which are sent and delivered, and half an assignment
# or a done; and somebody opens the conversation.
_EVENTS_PER_REPLY: Final = 3.0
_CHANGES: Final = 0.5


def _m(value: float, what: str, unit: str = "us") -> Any:
    return field(default=value, metadata={"what": what, "unit": unit})


@dataclass(frozen=True, slots=True, kw_only=True)
class Costs:
    """What one thing costs, in CPU microseconds or bytes; see MEASURED."""

    engine_intake_us: float = _m(311.5, "engine: a customer's message, its number looked up")
    engine_reply_us: float = _m(659.2, "engine: a reply, leased, sent and delivered")
    engine_change_us: float = _m(221.4, "engine: an assignment, a return, a done")
    engine_open_us: float = _m(112.2, "engine: a conversation opened, its thread read and seen")
    engine_publish_us: float = _m(10.0, "engine: an event handed to one worker that follows")
    engine_look_us: float = _m(17.3, "engine: a look whether something is due, or a head")
    engine_idle_us: float = _m(1_883.2, "engine: a second in which nothing happens, per worker")
    engine_return_us: float = _m(60.0, "engine: a client that comes back and resumes")
    worker_intake_us: float = _m(511.1, "worker: a customer's message over HTTP")
    worker_reply_us: float = _m(402.3, "worker: a reply, handed to its carrier, and its receipts")
    worker_change_us: float = _m(148.2, "worker: an assignment, a return, a done")
    worker_open_us: float = _m(231.8, "worker: a conversation opened")
    worker_heard_us: float = _m(40.1, "worker: an event followed, with the search index's part")
    worker_delivery_us: float = _m(7.1, "worker: an event to one listener, one at a time")
    worker_badge_us: float = _m(10.1, "worker: a badge to one connection")
    worker_look_us: float = _m(18.1, "worker: a look whether something is due")
    worker_idle_us: float = _m(4_105.1, "worker: a second in which nothing happens")
    worker_handshake_us: float = _m(195.5, "worker: a handshake, sign-in and subscription")
    connection_bytes: float = _m(4_647, "worker: an idle connection", "bytes")
    worker_bytes: float = _m(85.9e6, "worker: started, nobody connected", "bytes")
    event_bytes: float = _m(683.4, "an event on the wire, in a ring, and in a log", "bytes")
    badge_bytes: float = _m(40, "a badge on the wire", "bytes")
    conversation_bytes: float = _m(
        1_039.8, "engine: a row that is done, its places in indexes, a message", "bytes"
    )
    message_bytes: float = _m(194.9, "engine: a further message of a thread", "bytes")
    provider_bytes: float = _m(120.0, "engine: a carrier's id, kept seven days", "bytes")
    reply_bytes: float = _m(226.3, "engine: the stored answer of a command, kept a day", "bytes")
    audit_bytes: float = _m(145.9, "engine: an audit entry", "bytes")
    engine_bytes: float = _m(2.2e6, "engine: empty", "bytes")
    handshakes_per_s: float = _m(500, "what a worker admits (handshakes_per_s)", "1/s")
    idle_latency_us: float = _m(551.9, "from a command to its event at a listener, unloaded")


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """What is asked for, at its busiest.

    `listeners`: connections at level `list` per inbox; `memberships`: inboxes a member is in;
    `messages_per_s`: customers' messages; `conversations`: those in the engine, None: those of the
    last `done_days` (archive_done_days).
    """

    members: int
    online: int
    inboxes: int
    listeners: float
    messages_per_s: float
    messages_per_day: float
    memberships: float = 3.0
    replies: float = 1.0
    done_days: float = 30.0
    conversations: int | None = None
    messages_per_conversation: float = _PER_CONVERSATION

    @property
    def kept(self) -> float:
        """Conversations in the engine."""
        if self.conversations is not None:
            return float(self.conversations)
        per_day = self.messages_per_day / max(1.0, self.messages_per_conversation)
        return per_day * self.done_days

    @property
    def events(self) -> float:
        """Events per customer's message."""
        return 1.0 + _EVENTS_PER_REPLY * self.replies + _CHANGES

    @property
    def changes(self) -> float:
        """Entries of the audit log per customer's message."""
        return _CHANGES


@dataclass(frozen=True, slots=True)
class Part:
    """Something that can be the bottleneck: how busy, as a share of one of what there is."""

    name: str
    share: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What it takes. Shares are of one core; `feasible` False: no number of workers is enough."""

    feasible: bool
    events_per_s: float
    commands_per_s: float
    deliveries_per_s: float
    badges_per_s: float
    workers: int
    worker_share: float
    worker_fixed_share: float
    worker_connections: int
    worker_memory_bytes: int
    worker_network_bytes_per_s: float
    engine_share: float
    engine_shards: int
    engine_memory_bytes: int
    engine_memory_advised_bytes: int
    engine_disk_bytes: int
    network_bytes_per_s: float
    storm_s: float
    bottleneck: str


@dataclass(frozen=True, slots=True)
class _Rates:
    messages: float
    replies: float
    changes: float
    events: float
    deliveries: float
    badges: float
    seats: float  # connections that hold a badge of one inbox


def planned(demand: Demand, costs: Costs | None = None) -> Plan:
    """The smallest number of workers that keeps each under BUSY_MOST, and what goes with it."""
    costs = costs or Costs()
    rates = _rates(demand)
    workers = _workers(demand, rates, costs)
    share = _worker_share(demand, rates, costs, workers)
    engine_share = _engine_share(demand, rates, costs, workers)
    network = rates.deliveries * costs.event_bytes + rates.badges * costs.badge_bytes
    memory = _engine_memory(demand, costs)
    per_worker = -(-demand.online // workers)
    parts = [Part("engine", engine_share), Part("workers", share)]
    return Plan(
        feasible=share <= BUSY_MOST,
        events_per_s=rates.events,
        commands_per_s=rates.replies + rates.changes,
        deliveries_per_s=rates.deliveries,
        badges_per_s=rates.badges,
        workers=workers,
        worker_share=share,
        worker_fixed_share=_fixed_share(demand, rates, costs, workers),
        worker_connections=per_worker,
        worker_memory_bytes=round(_worker_memory(demand, costs, per_worker)),
        worker_network_bytes_per_s=network / workers,
        engine_share=engine_share,
        engine_shards=max(1, _up(engine_share / BUSY_MOST)),
        engine_memory_bytes=round(memory),
        # A rewrite of the append-only file copies what changes meanwhile.
        engine_memory_advised_bytes=round(1.5 * memory),
        engine_disk_bytes=round(3 * memory),
        network_bytes_per_s=network,
        storm_s=demand.online / (workers * _handshakes_per_s(costs)),
        bottleneck=max(parts, key=lambda part: part.share).name,
    )


def cost_table() -> list[tuple[str, float, str, str]]:
    """Every constant: name, value, unit, what it is."""
    costs = Costs()
    return [
        (f.name, float(getattr(costs, f.name)), f.metadata["unit"], f.metadata["what"])
        for f in fields(Costs)
    ]


def followed(seats: float, workers: int) -> float:
    """The share of workers that follow an inbox, with its connections spread by chance."""
    return float(1.0 - (1.0 - 1.0 / workers) ** max(1.0, seats))


def _rates(demand: Demand) -> _Rates:
    inboxes = max(1, demand.inboxes)
    events = demand.messages_per_s * demand.events
    seats = min(demand.online, demand.online * demand.memberships / inboxes)
    seats = max(seats, demand.listeners)
    changes = demand.messages_per_s * _CHANGES
    # Messages and changes move badges, which are told at most so often per inbox.
    moves = min((demand.messages_per_s + changes) / inboxes, _BADGES_PER_S) * inboxes
    return _Rates(
        messages=demand.messages_per_s,
        replies=demand.messages_per_s * demand.replies,
        changes=changes,
        events=events,
        deliveries=events * demand.listeners,
        badges=moves * seats,
        seats=seats,
    )


def _workers(demand: Demand, rates: _Rates, costs: Costs) -> int:
    """By halving: one more never makes any of them busier."""
    low, high = 1, WORKERS_MOST
    while low < high:
        middle = (low + high) // 2
        if _worker_share(demand, rates, costs, middle) <= BUSY_MOST:
            high = middle
        else:
            low = middle + 1
    return low


def _worker_share(demand: Demand, rates: _Rates, costs: Costs, workers: int) -> float:
    shared = (
        rates.messages * (costs.worker_intake_us + costs.worker_open_us)
        + rates.replies * costs.worker_reply_us
        + rates.changes * costs.worker_change_us
        + rates.deliveries * costs.worker_delivery_us
        + rates.badges * costs.worker_badge_us
        + 2 * demand.inboxes * costs.worker_look_us
    )
    return shared / workers / 1e6 + _fixed_share(demand, rates, costs, workers)


def _fixed_share(demand: Demand, rates: _Rates, costs: Costs, workers: int) -> float:
    """What every worker does for itself, and more of them do not make less."""
    heads = demand.inboxes * followed(rates.seats, workers) / _CHECK_S
    # The search index of each reads every log, whoever is connected.
    own_us = costs.worker_idle_us + heads * costs.worker_look_us
    return (rates.events * costs.worker_heard_us + own_us) / 1e6


def _engine_share(demand: Demand, rates: _Rates, costs: Costs, workers: int) -> float:
    following = workers * followed(rates.seats, workers)
    looks = 2 * demand.inboxes + demand.inboxes * following / _CHECK_S
    return (
        rates.messages * (costs.engine_intake_us + costs.engine_open_us)
        + rates.replies * costs.engine_reply_us
        + rates.changes * costs.engine_change_us
        + rates.events * following * costs.engine_publish_us
        + looks * costs.engine_look_us
        + workers * costs.engine_idle_us
    ) / 1e6


def _engine_memory(demand: Demand, costs: Costs) -> float:
    kept, inboxes = demand.kept, max(1, demand.inboxes)
    lived = kept * demand.messages_per_conversation * demand.events / inboxes
    changes = kept * demand.messages_per_conversation * demand.changes / inboxes
    per_inbox = min(_LOG_EVENTS, lived) * costs.event_bytes
    per_inbox += min(_AUDIT_ENTRIES, changes) * costs.audit_bytes
    further = max(0.0, demand.messages_per_conversation * (1 + demand.replies) - 1)
    return (
        costs.engine_bytes
        + kept * (costs.conversation_bytes + further * costs.message_bytes)
        + inboxes * per_inbox
        + demand.messages_per_day * _PROVIDER_DAYS * costs.provider_bytes
        + demand.messages_per_day * (demand.replies + demand.changes) * costs.reply_bytes
        + demand.members * demand.memberships * costs.audit_bytes
    )


def _worker_memory(demand: Demand, costs: Costs, connections: int) -> float:
    lived = demand.messages_per_day * demand.events / max(1, demand.inboxes)
    rings = demand.inboxes * min(_RING_EVENTS, lived) * costs.event_bytes
    return costs.worker_bytes + connections * costs.connection_bytes + rings


def _handshakes_per_s(costs: Costs) -> float:
    return min(costs.handshakes_per_s, 0.8e6 / costs.worker_handshake_us)


def _up(value: float) -> int:
    return int(-(-value // 1))
