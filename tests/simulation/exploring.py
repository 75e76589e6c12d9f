"""Looks at every state of the small model, each part of it once.

`whole.py` is the plain search: a log, two nodes and two clients, state by state. It is exhaustive
and soon too large. `explore` visits the same behaviour in parts, by what `small.py` gives to whom:

* One client is enough. Clients do nothing to each other, and nothing to their node but that it
  compares itself with the log, which it also does by itself at any moment. What can go wrong is
  said of one client, so it goes wrong as well where the other one never does anything.
* One node is enough until the client moves, and from then on the other one is. Beside one history
  of the log each state of one node goes with each of the other, as neither hears of the other.
  Histories make a tree, and a state of the log has only one: the search goes along its branches,
  and a client that moves meets every state that a node may be in there.
* Both nodes, and both clients, begin as equals, so they come to the same states.
* The clients that may be at a node are a set, kept as the bits of a number: a step of the node that
  they do not notice is taken by all of them at once. A step with the same causes is computed once.

`test_exhaustive.py` compares what both searches reach, state by state, where the plain one can.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from batonbox._models import Position
from tests.simulation import small
from tests.simulation import small_clients as clients_of
from tests.simulation.small import Log, Node, View
from tests.simulation.small_clients import Client, ClientStep

Clients = int  # a set of them: the bits of their numbers
Reached = dict[int, Clients]  # by number of a node: who may be at it (0: perhaps nobody)


class Wrong(Exception):
    """Something that must not happen can."""


@dataclass(slots=True)
class Explored:
    """What was looked at: states of the log, of a node beside them, and of both with a client."""

    logs: int = 0
    nodes: int = 0
    pairs: int = 0


class _NodeStep(NamedTuple):
    node: int
    rebased: bool
    common: int | None


class States:
    """Nodes and clients by number, as they are met."""

    def __init__(self) -> None:
        self.nodes: list[Node] = []
        self.clients: list[Client] = []
        self._nodes: dict[Node, int] = {}
        self._clients: dict[Client, int] = {}

    def node(self, node: Node) -> int:
        """Its number."""
        known = self._nodes.setdefault(node, len(self.nodes))
        if known == len(self.nodes):
            self.nodes.append(node)
        return known

    def client(self, client: Client) -> int:
        """Its number."""
        known = self._clients.setdefault(client, len(self.clients))
        if known == len(self.clients):
            self.clients.append(client)
        return known


class Seats:
    """Steps of clients beside a log, at any node that looks like this."""

    def __init__(self, states: States, log: Log, view: View, after_check: View) -> None:
        self._states, self._log, self._view, self._after_check = states, log, view, after_check
        self._steps: dict[int, tuple[Clients, Clients]] = {}
        self._spread: dict[Clients, tuple[Clients, Clients]] = {}

    def of(self, c: int) -> tuple[Clients, Clients]:
        """What a client may become: where it is, and while its node compares itself with the log.

        Raises Wrong.
        """
        known = self._steps.get(c)
        if known is None:
            here = there = 0
            client = self._states.clients[c]
            for step in clients_of.client_steps(self._log, self._view, self._after_check, client):
                bit = 1 << numbered(self._states, self._log, client, step)
                if step.checks:
                    there |= bit
                else:
                    here |= bit
            known = self._steps[c] = here, there
        return known

    def spread(self, clients: Clients) -> tuple[Clients, Clients]:
        """The same of all, one step after the other; `clients` are among the former."""
        known = self._spread.get(clients)
        if known is None:
            every, young, there = clients, clients, 0
            while young:
                old = every
                for c in members(young):
                    here, checking = self.of(c)
                    every, there = every | here, there | checking
                young = every & ~old
            known = self._spread[clients] = every, there
        return known


class Beside:
    """Steps of nodes and of clients beside one state of the log, each taken once."""

    def __init__(self, states: States, log: Log) -> None:
        self.states = states
        self.log = log
        self._node_steps: dict[int, list[_NodeStep]] = {}
        self._seats: dict[tuple[View, View], Seats] = {}
        self._at: dict[int, tuple[int, Seats]] = {}
        self._rebased: dict[tuple[Clients, int | None], Clients] = {}

    def of_node(self, n: int) -> list[_NodeStep]:
        """Where its steps lead."""
        known = self._node_steps.get(n)
        if known is None:
            states, node = self.states, self.states.nodes[n]
            steps = (
                _NodeStep(states.node(after), rebased, common)
                for after, rebased, common in small.node_steps(self.log, node)
                if after != node
            )
            known = self._node_steps[n] = list(dict.fromkeys(steps))
        return known

    def at(self, n: int) -> tuple[int, Seats]:
        """The node once it has compared itself with the log, and steps of clients at it."""
        known = self._at.get(n)
        if known is None:
            node = self.states.nodes[n]
            after = small.checked(self.log, node) if node.view.following else node
            views = node.view, after.view
            seats = self._seats.get(views)
            if seats is None:
                seats = self._seats[views] = Seats(self.states, self.log, *views)
            known = self._at[n] = self.states.node(after), seats
        return known

    def rebased(self, clients: Clients, common: int | None) -> Clients:
        """Clients, told of their node's new place."""
        known = self._rebased.get((clients, common))
        if known is None:
            known = 0
            for c in members(clients):
                client = self.states.clients[c]
                step = clients_of.rebased(client, common)
                known |= 1 << numbered(self.states, self.log, client, step)
            self._rebased[clients, common] = known
        return known

    def closed(self, reached: Reached) -> Reached:
        """With all that they come to while the log stays as it is. Raises Wrong."""
        found = dict.fromkeys(self._in_order(reached), 0)
        todo = dict(reached)
        while todo:  # once, unless nodes go in circles
            for n, before in found.items():
                new = self._at_node(n, todo.pop(n, 0) & ~before, todo) & ~before
                if not new:
                    continue
                found[n] = before | new
                for m, rebased, common in self.of_node(n):
                    more = self.rebased(new, common) if rebased else new
                    todo[m] = todo.get(m, 0) | more
        return found

    def _at_node(self, n: int, new: Clients, todo: Reached) -> Clients:
        """Clients there that come from new ones; a node that checks may be another one then."""
        checked, seats = self.at(n)
        while True:
            every, there = seats.spread(new)
            if checked != n:
                todo[checked] = todo.get(checked, 0) | there
                return every
            if not there & ~every:
                return every
            new = every | there

    def _in_order(self, begin: Iterable[int]) -> list[int]:
        """All nodes that they come to, each before those that come from it where that can be."""
        seen: set[int] = set()
        done: list[int] = []
        for first in begin:
            if first in seen:
                continue
            seen.add(first)
            todo = [(first, iter(self.of_node(first)))]
            while todo:
                n, steps = todo[-1]
                for step in steps:
                    if step.node not in seen:
                        seen.add(step.node)
                        todo.append((step.node, iter(self.of_node(step.node))))
                        break
                else:
                    done.append(n)
                    todo.pop()
        return done[::-1]


def numbered(states: States, log: Log, client: Client, step: ClientStep) -> int:
    """What a client is after a step. Raises Wrong."""
    if step.wrong:
        raise Wrong(f"{step.wrong[0]}\n  {client}\n  beside {log}")
    return states.client(step.client)


def members(clients: Clients) -> Iterator[int]:
    """The numbers in a set."""
    while clients:
        low = clients & -clients
        yield low.bit_length() - 1
        clients ^= low


def explore(events: int, failovers: int = 1) -> Explored:
    """Visit everything. Raises Wrong."""
    states, found = States(), Explored()
    for beside, reached in branches(states, events, failovers):
        found.logs += 1
        found.nodes += len(reached)
        found.pairs += sum(clients.bit_count() for clients in reached.values())
        rests(beside, reached)
    return found


def rests(beside: Beside, reached: Reached) -> None:
    """I15: wherever faults end, everybody comes to the top of the one history. Raises Wrong.

    Whatever the order: at rest a node never comes back to where it was, so it comes to an end if
    its steps are not put off for ever; and there the same is so of each client.
    """
    states, rest = beside.states, Reached()
    for n, clients in reached.items():
        m = states.node(small.at_rest(states.nodes[n]))
        rest[m] = rest.get(m, 0) | clients
    rest = beside.closed(rest)
    place = {n: i for i, n in enumerate(rest)}
    for n, clients in rest.items():
        for step in beside.of_node(n):
            if place[step.node] <= place[n]:
                raise Wrong(f"I15: a node goes round\n  {states.nodes[n]}\n  beside {beside.log}")
        if not beside.of_node(n):
            _ends(beside, n, clients)


def _ends(beside: Beside, n: int, clients: Clients) -> None:
    """Each client at a node that has no more steps comes to the log's end."""
    log, ended = beside.log, 0
    top = Position(small.EPOCH, len(log.tips), log.tip)
    left = set(members(clients))
    _, seats = beside.at(n)
    while left:
        before = len(left)
        for c in sorted(left):
            here, checking = seats.of(c)
            after = (here | checking) & ~(1 << c)
            at_top = beside.states.clients[c].position == top
            if not after & ~ended and (after or at_top):
                ended |= 1 << c
                left.discard(c)
        if len(left) == before:
            rest = [beside.states.clients[c] for c in sorted(left)]
            node = beside.states.nodes[n]
            raise Wrong(f"I15: never at the top\n  {rest}\n  {node}\n  beside {log}")


def branches(states: States, events: int, failovers: int) -> Iterator[tuple[Beside, Reached]]:
    """Each state of the log, and what there is beside it. Raises Wrong."""
    begin: Reached = {states.node(Node()): 1 << states.client(Client())}
    todo: list[tuple[Log, Reached]] = [(Log(), begin)]
    while todo:
        log, reached = todo.pop()
        beside = Beside(states, log)
        reached = beside.closed(reached)
        come = _movers(states, reached)
        reached = beside.closed({n: clients | come for n, clients in reached.items()})
        yield beside, reached
        for after in small.log_steps(log, events, failovers):
            told = _told(states, reached, after.tip) if after.made > log.made else reached
            todo.append((after, told))


def _movers(states: States, reached: Mapping[int, Clients]) -> Clients:
    """Clients that come from wherever one may be."""
    everybody = come = 0
    for clients in reached.values():
        everybody |= clients
    for c in members(everybody):
        if not states.clients[c].moved:
            come |= 1 << states.client(clients_of.moved(states.clients[c]))
    return come


def _told(states: States, reached: Reached, tip: str) -> Reached:
    return {states.node(states.nodes[n].told(tip)): clients for n, clients in reached.items()}
