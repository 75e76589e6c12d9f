"""How drawn numbers become fifty commands against two inboxes, compared after every one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from batonbox_server.domain.model import Availability, InboxOptions, ReopenTo, Role, Row
from batonbox_server.domain.transitions import Command
from batonbox_server.store.scripts import Scripts
from tests.model.audited import compare_audit
from tests.model.conftest import Bench
from tests.model.episodes import PASSES_MS, episode
from tests.model.scenarios import SCENARIOS
from tests.model.timed import LONG, TIMED
from tests.model.world import ARGS, BODY, NUMBERS, USERS, WITHOUT_CID, World, fresh_world

COMMANDS = 50
VERBS = (
    *("receive",) * 6,
    *("assign",) * 5,
    *("transfer",) * 4,
    *("release",) * 3,
    *("done",) * 4,
    *("undo",) * 4,
    *("reply",) * 5,
    "note",
    *("compose",) * 2,
    *("retry",) * 7,
    *("fail",) * 3,
    *("seen",) * 4,
    *("unread",) * 3,
    "join",
    "remove",
    *("snooze",) * 4,
    *("wake",) * 3,
    *("due",) * 6,
    *("away",) * 3,
    *("offline",) * 4,
    *("options",) * 3,
    *("pass",) * 4,
    *("episode",) * 8,
)
# What callers send again when they heard no answer.
REPEATABLE = frozenset(ARGS) - WITHOUT_CID
MODES = tuple(Availability)
# Of a few messages; the later of two counts, and they do not always come in their order.
WORDS = {0: "stop", 1: "start", 2: "start", 3: "help"}
# Drawn integers crowd near zero; spread, each choice is about equally likely.
pick = st.integers(0, 2**16).map(lambda n: ((n + 12345) * 2654435761 >> 12) & 0xFFFF)
Draw = tuple[str, bool, int, int, int]


def draws(verbs: Sequence[str]) -> st.SearchStrategy[Draw]:
    """One of the verbs, and numbers that `resolve` makes the rest of."""
    return st.tuples(st.sampled_from(verbs), st.booleans(), pick, pick, pick)


def resolve(world: World, cid: int, draw: Draw) -> Command:
    """A drawn command made concrete against what exists now."""
    verb, likely, a, b, c = draw
    rows = sorted(world.model.rows.values(), key=lambda row: row.rev)
    row = rows[a % len(rows)] if rows else None
    actor = USERS[b % len(USERS)]
    if likely and row and row.assignee:
        actor = row.assignee
    conv = row.id if row else f"{world.name}.none"
    number = NUMBERS[1] if c % 16 == 15 else NUMBERS[0]
    seen = "*"
    if verb == "done" and row and c % 5:
        seen = row.in_seq if c % 5 > 1 else "1.00000000"
    if verb in ("seen", "reply") and row:
        seen = row.att if c % 4 else "1.00000000"
    if verb in ("receive", "compose"):
        conv = f"{world.name}.{cid}"
    n, own_tok = 0, world.token(c, row)
    if verb == "undo" and likely and world.model.prev:
        conv, prev = sorted(world.model.prev.items())[a % len(world.model.prev)]
        actor, own_tok = prev.actor, world.model.rows[conv].own_tok
    if verb in ("fail", "retry"):
        sent = sorted(world.model.failed) if verb == "retry" and c % 4 else world.outbound
        if not sent:
            verb, conv = "compose", f"{world.name}.{cid}"
        else:
            conv, n = sent[a % len(sent)]
            owner = world.model.rows[conv].assignee
            actor = owner if likely and owner else actor
    if owned := owned_by_somebody(rows, verb, a) if likely else None:
        conv, actor, own_tok = owned.id, owned.assignee, owned.own_tok
    target = actor if verb in ("join", "remove") else USERS[c % len(USERS)] if c % 3 else ""
    fields: dict[str, Any] = {"to": target, **told(world, verb, cid, likely, b, c)}
    role = Role.ADMIN if actor in ("adm", "boss") else Role.MEMBER
    return Command(
        verb=verb,
        conv=conv,
        actor=actor,
        cid=f"c{cid}",
        own_tok=own_tok,
        seen=seen,
        text=f"text {cid}",
        our=number,
        customer=f"+1555020{a % 4}",
        provider_id=f"p{cid if b % 7 else cid - 1}",
        body=BODY,
        n=n,
        role=role,
        joined=role is Role.MEMBER or c % 2 == 0,
        **fields,
    )


def owned_by_somebody(rows: list[Row], verb: str, a: int) -> Row | None:
    """What may be put aside, or woken."""
    asleep = [row for row in rows if row.snoozed_until] if verb == "wake" else []
    mine = asleep or [row for row in rows if row.assignee]
    return mine[a % len(mine)] if mine and verb in ("snooze", "wake") else None


def told(world: World, verb: str, cid: int, likely: bool, b: int, c: int) -> dict[str, Any]:
    """What a word about availability, options, opting out or time says; some of them come late."""
    if verb == "snooze":
        ahead = (2_000, 60_000, 300_000, 366 * 86_400_000 + 1, -1, 0)
        return {"at_ms": world.clock + ahead[c % 16 if c % 16 < 6 else c % 3]}
    if verb == "pass":
        return {"at_ms": PASSES_MS[c % len(PASSES_MS)]}
    if verb == "receive":
        return {"word": WORDS.get(c % 32, ""), "at": max(1, cid + b % 5 - 2)}
    world.word += 1
    at = max(0, world.word - 20) if c % 8 == 7 else world.word
    owners = sorted({row.assignee for row in world.model.rows.values() if row.assignee})
    user = owners[b % len(owners)] if likely and owners else USERS[b % len(USERS)]
    if verb == "away":
        return {"to": user, "mode": MODES[c % 3], "at": at}
    if verb == "offline":
        since = 0 if c % 3 == 0 else world.clock - (c % 5) * 90_000
        return {"to": user, "at_ms": since, "at": at}
    if verb == "options":
        rules = InboxOptions(
            reopen_to=tuple(ReopenTo)[c % 2],
            members_may_dispatch=b % 2 == 0,
            silent_min=(0, 1, 3)[b % 3],
            offline_min=(0, 1, 5)[c % 3],
        )
        return {"options": rules, "at": at}
    return {}


def skips(world: World, command: Command) -> bool:
    """A message fails once per attempt, and a number is retried only if it exists."""
    if command.verb == "fail":
        return (command.conv, command.n) in world.model.failed
    # Without a target a transfer is refused by the service, before the script.
    return command.verb == "transfer" and not command.to


def directed(scripts: Scripts, counts: Counter[str]) -> Callable[[Bench], None]:
    """A callable that plays the scenarios in one world."""

    async def play(bench: Bench) -> None:
        world = fresh_world(bench.client, scripts, counts)
        await world.open()
        for scenarios in (TIMED + SCENARIOS, LONG):
            for scenario in scenarios:
                await scenario(world)
            await compare_audit(world)

    return lambda bench: bench.runner.run(play(bench))


async def play_one(world: World, cid: int, draw: Draw) -> None:
    """A drawn command on a world, or time, or a story."""
    command = resolve(world, cid, draw)
    if command.verb == "pass":
        await world.passes(command.at_ms)
    elif command.verb == "episode":
        await episode(world, *draw[2:])
    elif skips(world, command):
        return
    else:
        said = await world.run(command)
        if said == "ok" and command.verb in REPEATABLE and cid % 3 == 0:
            await world.again(command)
    world.counts["commands"] += 1


Drawn = list[tuple[bool, Draw]]


def sequences(scripts: Scripts, counts: Counter[str], *, n: int) -> Callable[[Bench], None]:
    """A callable that runs `n` sequences and raises AssertionError at the first disagreement."""

    async def sequence(bench: Bench, drawn: Drawn) -> None:
        worlds = [fresh_world(bench.client, scripts, counts) for _ in range(2)]
        for world in worlds:
            await world.open()
        for cid, (second, draw) in enumerate(drawn, start=1):
            await play_one(worlds[second], cid, draw)
        for world in worlds:
            await world.compare_pages()
            await world.compare_leases()
            await compare_audit(world)
        counts["sequences"] += 1

    @settings(
        max_examples=n,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(
        drawn=st.lists(st.tuples(st.booleans(), draws(VERBS)), min_size=COMMANDS, max_size=COMMANDS)
    )
    def run(bench: Bench, drawn: Drawn) -> None:
        bench.runner.run(sequence(bench, drawn))

    return run
