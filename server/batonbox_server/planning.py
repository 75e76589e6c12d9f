"""`batonbox-server plan`: what an organisation of a given size needs."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any, Final

import click

from batonbox_server.capacity import BUSY_MOST, MEASURED, Demand, Plan, planned
from batonbox_server.capacity_simulation import BACK_S, Simulated, simulate

__all__ = ["plan_command"]

_DAY_S: Final = 86_400
_UNITS: Final = ("B", "kB", "MB", "GB", "TB")


@click.command("plan")
@click.option("--members", type=click.IntRange(1), required=True, help="People with an account.")
@click.option("--online", type=click.IntRange(0), help="Connections at once [default: --members].")
@click.option("--inboxes", type=click.IntRange(1), default=1, show_default=True)
@click.option(
    "--memberships",
    type=click.FloatRange(0),
    default=3.0,
    show_default=True,
    help="Inboxes that a member is in.",
)
@click.option(
    "--listeners",
    type=click.FloatRange(0),
    help="Connections that have an inbox's list open, per inbox [default: --online over it].",
)
@click.option("--messages-per-day", type=click.FloatRange(0), help="Customers' messages.")
@click.option("--messages-per-s", type=click.FloatRange(0), help="The same in the busiest minute.")
@click.option(
    "--peak",
    type=click.FloatRange(1),
    default=5.0,
    show_default=True,
    help="The busiest minute over a day's mean, where only one of the two is given.",
)
@click.option(
    "--replies",
    type=click.FloatRange(0),
    default=1.0,
    show_default=True,
    help="Replies per customer's message.",
)
@click.option(
    "--conversations",
    type=click.IntRange(0),
    help="In the engine [default: those of the last --done-days].",
)
@click.option(
    "--messages-per-conversation", type=click.FloatRange(1), default=10.0, show_default=True
)
@click.option(
    "--done-days",
    type=click.FloatRange(0),
    default=30.0,
    show_default=True,
    help="How long what is done stays in the engine (BATONBOX_ARCHIVE_DONE_DAYS).",
)
@click.option(
    "--simulate", "simulated", is_flag=True, help="Simulate the busiest time and a storm."
)
@click.option("--seed", type=int, default=1, show_default=True, help="Of the simulation.")
@click.option("--json", "as_json", is_flag=True, help="As one line of JSON.")
def plan_command(simulated: bool, seed: int, as_json: bool, **given: Any) -> None:
    """Say how many workers and how much engine an organisation needs.

    The figures are those of one measured machine: see docs/operations.md for how far to trust them.
    """
    demand = demanded(**given)
    plan = planned(demand)
    found = simulate(demand, plan, seed=seed) if simulated and plan.feasible else None
    if as_json:
        told = {"demand": asdict(demand), "plan": asdict(plan)}
        click.echo(json.dumps({**told, "simulated": asdict(found) if found else None}))
        return
    for line in [*plan_lines(plan), *(simulated_lines(found) if found else [])]:
        click.echo(line)


def demanded(
    *,
    online: int | None,
    listeners: float | None,
    messages_per_day: float | None,
    messages_per_s: float | None,
    peak: float,
    **rest: Any,
) -> Demand:
    """What was asked for, with what was left out derived; raises click.UsageError."""
    if messages_per_day is None and messages_per_s is None:
        raise click.UsageError("Give --messages-per-day, --messages-per-s, or both.")
    if messages_per_s is None:
        messages_per_s = peak * float(messages_per_day or 0.0) / _DAY_S
    if messages_per_day is None:
        messages_per_day = messages_per_s * _DAY_S / peak
    online = rest["members"] if online is None else online
    return Demand(
        online=online,
        listeners=online / rest["inboxes"] if listeners is None else listeners,
        messages_per_day=messages_per_day,
        messages_per_s=messages_per_s,
        **rest,
    )


def plan_lines(plan: Plan) -> list[str]:
    """The plan for people."""
    if not plan.feasible:
        own = f"{plan.worker_fixed_share:.0%}"
        return [
            f"No number of workers is enough: what each does for itself takes {own} of its core,",
            f"and at most {BUSY_MOST:.0%} may be used: split the organisation over several.",
        ]
    over = "" if plan.engine_shards == 1 else f" over {plan.engine_shards} masters of a Cluster"
    memory, disk = _size(plan.engine_memory_advised_bytes), _size(plan.engine_disk_bytes)
    events = f"{plan.events_per_s:,.1f} events/s, {plan.commands_per_s:,.1f} commands/s"
    told = f"{plan.deliveries_per_s:,.0f} deliveries/s, {plan.badges_per_s:,.0f} badges/s"
    each = f"{plan.worker_connections:,} connections, {_size(plan.worker_memory_bytes)}"
    network = _size(plan.worker_network_bytes_per_s)
    return [
        f"load      {events}, {told}",
        f"workers   {plan.workers}, each: {plan.worker_share:.0%} of a core, {each}",
        f"engine    {plan.engine_share:.0%} of a core{over}; {_size(plan.engine_memory_bytes)}",
        f"          of data: give it {memory} of memory and {disk} of disk",
        f"network   {_size(plan.network_bytes_per_s)}/s to clients, {network}/s per worker",
        f"storm     all cut off and knocking at once: {plan.storm_s:,.1f} s until all are admitted",
        f"full first: the {plan.bottleneck}",
        f"measured on {MEASURED}",
    ]


def simulated_lines(found: Simulated) -> list[str]:
    """What the simulation found, for people."""
    shares = f"workers {found.worker_share:.0%}, engine {found.engine_share:.0%}"
    waits = f"p50 {found.p50_ms:.1f} ms, p99 {found.p99_ms:.1f} ms"
    storm = f"p99 {found.storm_p99_ms:.1f} ms, everybody back after {found.storm_s:.1f} s"
    return [
        f"simulated {found.seconds:.0f} s: {shares};",
        f"          from a command to its last listener {waits};",
        f"          in a storm of {BACK_S:.0f} s {storm}, {found.refused:,} turned away at first",
    ]


def _size(count: float) -> str:
    for unit in _UNITS[:-1]:
        if count < 1000:
            return f"{count:,.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} {_UNITS[-1]}"
