"""The verbs: what each command does to an inbox, in the words of the state table."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final

from batonbox_server.domain import availability
from batonbox_server.domain.inbox import Fact, Inbox, Stamps
from batonbox_server.domain.model import Kind, Member, Role, Row, Status
from batonbox_server.domain.opting import blocked_since, heard
from batonbox_server.domain.transitions import AS, DONE, UN, Command, Refusal, Step, undo_allowed

REMOVAL_BATCH: Final = 100


def decide(inbox: Inbox, command: Command, stamps: Stamps) -> list[Fact]:
    """Carry the command out on `inbox`; raises Refusal, whose `facts` are what happened anyway."""
    step = Step(inbox, stamps, command)
    try:
        VERBS[command.verb](step, command)
    except Refusal as refusal:
        refusal.args = (*refusal.args, step.facts)
        raise
    return step.facts


def receive(step: Step, command: Command) -> None:
    """A customer's message: into the queue, to its owner, or out of Done."""
    inbox = step.inbox
    if command.provider_id in inbox.providers:
        return
    if command.our not in inbox.numbers:
        raise Refusal("number_not_routed")
    row = _known_or_new(step, command)
    said = heard(inbox, row, command.word, command.at)
    if not said.mute:
        row = availability.released(step, row)
    before = row if row.rev else None
    if said.mute:
        unseen = _is_green(inbox, row)
        row = replace(row, own_tok=row.own_tok or step.mark("own" + command.provider_id))
    else:
        row = _asking(step, row, command)
        unseen = row.status is AS
    row = replace(row, preview=command.text)
    row = step.record(Kind.RECEIVED, before, row, actor="", unseen=unseen, reason=said.mute)
    if said.answered:
        step.record(Kind.ANSWERED, row, row, actor="", unseen=_is_green(inbox, row))
    inbox.providers[command.provider_id] = row.id


def assign(step: Step, command: Command) -> None:
    """Assign to Me, or the dispatch of an unowned conversation to a colleague."""
    me = step.standing()
    if command.conv not in step.inbox.rows:
        raise Refusal("not_found")
    handed = command.to not in ("", command.actor)
    owner = command.to if handed else command.actor
    member_hands = handed and me.role is not Role.ADMIN
    if member_hands and not (me.joined and step.inbox.options.members_may_dispatch):
        raise Refusal("forbidden")
    them = step.inbox.members.get(owner)
    if them is None or (handed and not them.joined):
        raise Refusal("target_not_member")
    row = step.row()
    if row.status is AS:
        if row.assignee == owner:
            return
        raise Refusal("conflict")
    if member_hands and row.status is DONE:
        raise Refusal("forbidden")
    if not handed:
        step.join_admin(me)
    new, unseen = step.to_assigned(row, owner, step.salt, handed=handed)
    step.undoable(new, row)
    step.record(Kind.ASSIGNED, row, new, actor=command.actor, unseen=unseen)


def transfer(step: Step, command: Command) -> None:
    """Hand over; by an admin to themselves it is the take-over."""
    me, row = step.standing(), step.row()
    step.fence(row, me)
    if row.assignee == command.to:
        return
    them = step.inbox.members.get(command.to)
    if them is None or (command.to != command.actor and not them.joined):
        raise Refusal("target_not_member")
    if command.to == command.actor:
        step.join_admin(me)
    new, unseen = step.to_assigned(row, command.to, step.salt, handed=True)
    step.undoable(new, row)
    step.record(Kind.TRANSFERRED, row, new, actor=command.actor, unseen=unseen)


def release(step: Step, command: Command) -> None:
    """Return to Inbox."""
    me, row = step.standing(), step.row()
    step.fence(row, me)
    new = step.to_unassigned(row, command.actor, step.salt)
    step.undoable(new, row)
    step.record(Kind.RETURNED, row, new, actor=command.actor, unseen=False)


def done(step: Step, command: Command) -> None:
    """Mark as Done; of an unassigned conversation it is claim and done in one step."""
    me, row = step.standing(), step.row()
    if row.status is AS:
        step.fence(row, me)
    else:
        step.same_token(row)
    if command.seen not in ("*", row.in_seq):
        raise Refusal("new_activity")
    if row.status is DONE:
        return
    origin = row
    if row.status is UN:
        step.join_admin(me)
        claimed, unseen = step.to_assigned(row, command.actor, "claim" + step.salt, handed=False)
        row = step.record(Kind.ASSIGNED, row, claimed, actor=command.actor, unseen=unseen)
    new = step.to_done(row, step.salt)
    step.undoable(new, origin)
    step.record(Kind.DONE, row, new, actor=command.actor, unseen=False)


def undo(step: Step, command: Command) -> None:
    """Back to the previous status and owner, for whom it is green until opened."""
    step.standing()
    row = step.row()
    if command.own_tok != row.own_tok:
        raise Refusal("stale_token")
    prev = step.inbox.prev.get(row.id)
    if prev is None or prev.tok != command.own_tok or prev.actor != command.actor:
        raise Refusal("not_undoable")
    if not undo_allowed(step.inbox, row, prev, step.at_ms):
        raise Refusal("not_undoable")
    unseen = False
    if prev.status is AS:
        new, unseen = step.to_assigned(row, prev.assignee, step.salt, handed=True)
    elif prev.status is UN:
        new = step.to_unassigned(row, command.actor, step.salt)
    else:
        new = step.to_done(row, step.salt)
    if row.status is DONE:
        new = replace(new, unanswered=prev.unanswered, waiting_since=prev.waiting_since)
    step.record(Kind.UNDONE, row, new, actor=command.actor, unseen=unseen)


def reply(step: Step, command: Command) -> None:
    """The owner's message to the customer: the reply fence."""
    step.standing()
    row = step.row()
    step.owner_only(row)
    if row.our not in step.inbox.numbers:
        raise Refusal("number_not_routed")
    _may_be_written_to(step, row)
    unseen = _is_green(step.inbox, row) and command.seen != row.att
    step.inbox.acted[row.id] = step.at_ms
    new = replace(row, unanswered=0, waiting_since=0, preview=command.text)
    step.record(Kind.REPLIED, row, new, actor=command.actor, unseen=unseen)


def note(step: Step, command: Command) -> None:
    """An internal note changes nobody's badge."""
    step.standing()
    row = step.row()
    unseen = _is_green(step.inbox, row)
    if row.assignee == command.actor:
        step.inbox.acted[row.id] = step.at_ms
    step.record(Kind.NOTED, row, row, actor=command.actor, unseen=unseen)


def compose(step: Step, command: Command) -> None:
    """New outbound conversation: claim and send in one step."""
    me = step.standing()
    if command.our not in step.inbox.numbers:
        raise Refusal("number_not_routed")
    row = _known_or_new(step, command)
    if row.status is AS and row.assignee != command.actor:
        raise Refusal("conflict")
    _may_be_written_to(step, row)
    step.join_admin(me)
    new, unseen = row, _is_green(step.inbox, row)
    if row.status is not AS:
        new, unseen = step.to_assigned(row, command.actor, step.salt, handed=False)
    step.inbox.prev.pop(row.id, None)
    step.inbox.acted[row.id] = step.at_ms
    new = replace(new, unanswered=0, waiting_since=0, preview=command.text)
    before = row if row.rev else None
    step.record(Kind.COMPOSED, before, new, actor=command.actor, unseen=unseen)


def retry(step: Step, command: Command) -> None:
    """Send a failed message again."""
    step.standing()
    row = step.row()
    if row.status is not AS or row.assignee != command.actor:
        raise Refusal("not_owner")
    if command.n <= step.inbox.trimmed.get(row.id, 0):
        raise Refusal("too_old")
    if (row.id, command.n) not in step.inbox.failed:
        raise Refusal("not_failed")
    _may_be_written_to(step, row)
    step.inbox.failed.discard((row.id, command.n))
    _delivery(step, row, command.actor)


def fail(step: Step, command: Command) -> None:
    """The carrier gave up on a message."""
    step.inbox.failed.add((command.conv, command.n))
    _delivery(step, step.inbox.rows[command.conv], "")


def seen(step: Step, command: Command) -> None:
    """Clear the badge for this user, while `att` is still the row's."""
    step.standing()
    row = step.inbox.rows.get(command.conv)
    if row is None:
        raise Refusal("not_found")
    if not command.seen or command.seen != row.att:
        return
    if row.status is UN:
        step.inbox.seen.setdefault(command.actor, set()).add(f"{row.id}:{row.att}")
    elif row.assignee == command.actor:
        step.inbox.green.setdefault(command.actor, set()).discard(row.id)


def unread(step: Step, command: Command) -> None:
    """Take my own mark away."""
    step.standing()
    row = step.row()
    if row.att and row.status is UN:
        step.inbox.seen.setdefault(command.actor, set()).discard(f"{row.id}:{row.att}")
    elif row.att and row.assignee == command.actor:
        step.inbox.green.setdefault(command.actor, set()).add(row.id)


def join(step: Step, command: Command) -> None:
    """Add a membership or change its role."""
    was = step.inbox.members.get(command.to)
    joined = command.joined or (was is not None and was.joined)
    if was is not None and (was.role, was.joined) == (command.role, joined):
        return
    since = was.since_seq if was else step.inbox.seq + 1
    member = Member(command.role, joined, since)
    if was is None or (joined and not was.joined):
        step.join(command.to, member, "")
    else:
        step.inbox.members[command.to] = member
        step.log(Kind.MEMBER_JOINED, user=command.to)


def remove(step: Step, command: Command) -> None:
    """Take a membership away (an admin stays, un-joined) and return what they held."""
    inbox, user = step.inbox, command.to
    was, stays = inbox.members.get(user), command.role is Role.ADMIN
    if was is None or (stays and not was.joined):
        return
    step.log(Kind.MEMBER_REMOVED, user=user)
    if stays:
        inbox.members[user] = Member(Role.ADMIN, False, inbox.seq)
    else:
        del inbox.members[user]
    inbox.seen.pop(user, None)
    inbox.green.pop(user, None)
    held = sorted(
        (row for row in inbox.rows.values() if row.status is AS and row.assignee == user),
        key=lambda row: row.last_ms,
    )
    for row in held[:REMOVAL_BATCH]:
        step.released(row)
    if len(held) > REMOVAL_BATCH:
        inbox.jobs.append(user)


VERBS: Final[dict[str, Callable[[Step, Command], None]]] = availability.VERBS | {
    f.__name__: f
    for f in (receive, assign, transfer, release, done, undo, reply, note, compose, retry, fail,
              seen, unread, join, remove)
}  # fmt: skip


def _asking(step: Step, row: Row, command: Command) -> Row:
    row = availability.reopened(step, row, command.provider_id)
    att = step.mark(b"in" + command.provider_id.encode() + command.body)
    waiting_since = row.waiting_since if row.unanswered else step.at_ms
    unanswered = row.unanswered + 1
    return replace(row, att=att, in_seq=att, waiting_since=waiting_since, unanswered=unanswered)


def _may_be_written_to(step: Step, row: Row) -> None:
    if blocked_since(step.inbox, row):
        raise Refusal("recipient_opted_out")


def _known_or_new(step: Step, command: Command) -> Row:
    pair = (command.our, command.customer)
    known = step.inbox.pairs.setdefault(pair, command.conv)
    if known in step.inbox.rows:
        return step.released(step.inbox.rows[known])
    return Row(id=known, our=command.our, customer=command.customer, status=Status.DONE)


def _is_green(inbox: Inbox, row: Row) -> bool:
    return row.status is AS and row.id in inbox.green.get(row.assignee, set())


def _delivery(step: Step, row: Row, actor: str) -> None:
    step.inbox.seq += 1
    unseen = _is_green(step.inbox, row)
    step.facts.append(Fact(step.inbox.seq, Kind.DELIVERY_CHANGED, actor, row, row, unseen))
