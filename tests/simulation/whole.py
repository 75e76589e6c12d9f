"""The plain search through the small model: a log, two nodes and two clients at once."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import NamedTuple, TypeVar

from tests.simulation import small
from tests.simulation import small_clients as clients_of
from tests.simulation.exploring import Wrong
from tests.simulation.small import Log, Node, NodeStep, View
from tests.simulation.small_clients import Client, ClientStep

T = TypeVar("T")


class Whole(NamedTuple):
    """A state of everything; client `i` is at node `at[i]`."""

    log: Log = Log()
    nodes: tuple[Node, ...] = (Node(), Node())
    clients: tuple[Client, ...] = (Client(), Client())
    at: tuple[int, ...] = (0, 1)

    def with_node(self, i: int, step: NodeStep) -> Whole:
        """After a step of a node. Raises Wrong."""
        after = self._replace(nodes=_put(self.nodes, i, step.node))
        for k in range(len(self.clients)) if step.rebased else ():
            if self.at[k] == i:
                after = after.with_client(k, clients_of.rebased(self.clients[k], step.common))
        return after

    def with_client(self, i: int, step: ClientStep) -> Whole:
        """After a step of a client. Raises Wrong."""
        if step.wrong:
            raise Wrong(f"{step.wrong[0]}\n  {self}")
        return self._replace(clients=_put(self.clients, i, step.client))


def _put(of: tuple[T, ...], i: int, what: T) -> tuple[T, ...]:
    return (*of[:i], what, *of[i + 1 :])


class Search:
    """Every state within the bounds; steps that were taken once are looked up."""

    def __init__(self, events: int, failovers: int) -> None:
        self._events, self._failovers = events, failovers
        self._node_steps = cache(lambda log, node: list(small.node_steps(log, node)))
        self._client_steps = cache(_client_steps)
        self._checked = cache(small.checked)

    def reached(self) -> set[Whole]:
        """All states. Raises Wrong."""
        seen, todo = {Whole()}, [Whole()]
        while todo:
            for after in self.steps(todo.pop()):
                if after not in seen:
                    seen.add(after)
                    todo.append(after)
        return seen

    def steps(self, now: Whole) -> Iterator[Whole]:
        """Every state one step away. Raises Wrong."""
        for log in small.log_steps(now.log, self._events, self._failovers):
            told = log.made > now.log.made
            nodes = tuple(node.told(log.tip) if told else node for node in now.nodes)
            yield now._replace(log=log, nodes=nodes)
        for i, node in enumerate(now.nodes):
            for step in self._node_steps(now.log, node):
                yield now.with_node(i, step)
        for i, client in enumerate(now.clients):
            yield from self._of_client(now, i, client)

    def _of_client(self, now: Whole, i: int, client: Client) -> Iterator[Whole]:
        at = now.at[i]
        node = now.nodes[at]
        checked = self._checked(now.log, node) if node.view.following else node
        for step in self._client_steps(now.log, node.view, checked.view, client):
            after = now.with_client(i, step)
            yield after.with_node(at, NodeStep(checked)) if step.checks else after
        if not client.moved:
            after = now.with_client(i, ClientStep(clients_of.moved(client)))
            yield after._replace(at=_put(now.at, i, 1 - at))


def _client_steps(log: Log, view: View, after_check: View, client: Client) -> list[ClientStep]:
    return list(clients_of.client_steps(log, view, after_check, client))
