"""Ownership of one conversation as a small sequential machine, for the linearizability checkers.

It is written from the state table in the documents and shares nothing with `domain/transitions.py`
or the scripts: a checker that uses the code it judges repeats its mistakes.  Where a refusal or a
result depends on what is not modelled (time, numbers, words of opting out) everything is allowed.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal, NamedTuple

MISSING, UN, AS, DONE = "", "unassigned", "assigned", "done"
HIDDEN = "?"  # what tokens that nobody was told of begin with
OWNERSHIP = frozenset({"assign", "transfer", "return", "done", "undo", "reply", "compose"})


class Prev(NamedTuple):
    """What the last undoable change replaced, who made it, and under which token it stands."""

    status: str
    owner: str
    actor: str
    token: str


class State(NamedTuple):
    """A conversation; `prev` None: nothing to undo, "any": not known (before the round)."""

    status: str = MISSING
    owner: str = ""
    token: str = ""
    prev: Prev | Literal["any"] | None = None


class Op(NamedTuple):
    """A call with its outcome: what happened, as far as the caller knows.

    `verb`: a command, `receive` (a customer wrote), `member_remove` (of the user `to`) or `look`
    (somebody read the row `row`).  `kind`: ok, refused, unknown.  `new`: the token in the answer.
    """

    id: int
    verb: str
    user: str = ""
    to: str = ""
    given: str = ""
    kind: str = "ok"
    slug: str = ""
    new: str = ""
    row: tuple[str, str, str] | None = None  # status, assignee, own_tok as told with a refusal
    admin: bool = False


def op_row(cur: dict[str, Any] | None) -> tuple[str, str, str] | None:
    """What a refusal told of the row."""
    if not cur or "status" not in cur:
        return None
    return cur["status"], cur.get("assignee", ""), cur.get("own_tok", "")


def steps(state: State, op: Op, users: frozenset[str]) -> Iterator[State]:
    """Every state in which `op`, with its outcome, may leave the conversation; none: impossible.

    An unknown outcome yields the states of success only: without an effect it need not happen.
    """
    if op.kind == "refused":
        yield from _refused(state, op)
    elif op.verb == "look":
        yield from _shown(state, op.row)
    elif op.verb == "receive":
        yield _received(state, op)
    elif op.verb == "member_remove":
        held = state.status == AS and state.owner == op.to
        yield State(UN, "", _hidden(op), None) if held else state
    else:
        yield from _done(state, op, users)


def _hidden(op: Op) -> str:
    return op.new or f"{HIDDEN}{op.id}"


def bind(state: State, token: str) -> State | None:
    """The state once its token is known to be `token`; None if it is another."""
    if not token or state.token == token:
        return state
    if not state.token.startswith(HIDDEN):
        return None
    prev = state.prev
    if isinstance(prev, Prev) and prev.token == state.token:
        prev = prev._replace(token=token)
    return state._replace(token=token, prev=prev)


def _shown(state: State, row: tuple[str, str, str] | None) -> Iterator[State]:
    if row is None:
        yield state
    elif (state.status, state.owner) == row[:2]:
        bound = bind(state, row[2])
        if bound is not None:
            yield bound


def _received(state: State, op: Op) -> State:
    if state.status in (MISSING, DONE):
        return State(UN, "", _hidden(op), None)
    return state


def _refused(state: State, op: Op) -> Iterator[State]:
    """A refusal changes nothing; it needs a state in which it is right."""
    mine = state.status == AS and state.owner == op.user
    match op.slug:
        case "conflict":
            right = state.status == AS and state.owner != (op.to or op.user)
        case "not_owner":
            right = state.status != AS or not mine
        case "token_required":
            right = state.status == AS and not mine
        case "stale_token":
            right = op.given != state.token
        case "not_found":
            right = state.status == MISSING
        case _:
            right = True
    if right:
        yield from _shown(state, op.row)


def _done(state: State, op: Op, users: frozenset[str]) -> Iterator[State]:
    """What a command that took effect makes of the state."""
    if state.status == MISSING and op.verb != "compose":
        return
    under = bind(state, op.given) if op.given else state
    if under is None:
        return
    match op.verb:
        case "assign":
            yield from _claimed(under, op)
        case "transfer" if _may(under, op):
            yield from _given(under, op, op.to)
        case "return" if _may(under, op):
            yield _moved(under, op, UN, "")
        case "done":
            yield from _finished(under, op)
        case "undo":
            yield from _undone(under, op, users)
        case "reply" if under.status == AS and under.owner == op.user:
            yield from _same(under, op)
        case "compose":
            yield from _composed(under, op)


def _may(state: State, op: Op) -> bool:
    return state.status == AS and (state.owner == op.user or (op.admin and bool(op.given)))


def _moved(state: State, op: Op, status: str, owner: str) -> State:
    token = _hidden(op)
    return State(status, owner, token, Prev(state.status, state.owner, op.user, token))


def _same(state: State, op: Op) -> Iterator[State]:
    """Nothing changes; the answer told the present token."""
    bound = bind(state, op.new)
    if bound is not None:
        yield bound


def _claimed(state: State, op: Op) -> Iterator[State]:
    owner = op.to or op.user
    if state.status != AS:
        yield _moved(state, op, AS, owner)
    elif state.owner == owner:
        yield from _same(state, op)


def _given(state: State, op: Op, to: str) -> Iterator[State]:
    if state.owner == to:
        yield from _same(state, op)
    else:
        yield _moved(state, op, AS, to)


def _finished(state: State, op: Op) -> Iterator[State]:
    if state.status == DONE:
        yield from _same(state, op)
    elif state.status == UN or _may(state, op):
        yield _moved(state, op, DONE, "")


def _undone(state: State, op: Op, users: frozenset[str]) -> Iterator[State]:
    prev = state.prev
    if prev == "any":
        yield State(UN, "", _hidden(op), None)
        yield State(DONE, "", _hidden(op), None)
        for user in users:
            yield State(AS, user, _hidden(op), None)
    elif isinstance(prev, Prev) and prev.actor == op.user and prev.token == state.token:
        yield State(prev.status, prev.owner, _hidden(op), None)


def _composed(state: State, op: Op) -> Iterator[State]:
    if state.status != AS:
        yield State(AS, op.user, _hidden(op), None)
    elif state.owner == op.user:
        yield from _same(state._replace(prev=None), op)
