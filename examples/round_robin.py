"""Hands out what customers begin to the members who are online, in turn.

    BATONBOX_TOKEN=... python round_robin.py      # an admin's: only they hand out to others

What nobody can take (nobody is online) waits, and is handed out soon after somebody has come. What
somebody returns goes to somebody else.
"""

import itertools
import logging

import batonbox

bot = batonbox.Bot()
log = logging.getLogger("round_robin")

turns = itertools.count(1)
last_turn: dict[str, int] = {}  # of members; who is not in it has had none


@bot.unassigned(older_than_s=0)
async def hand_out(conversation: batonbox.Conversation) -> None:
    for member in await members_online(conversation):
        before, last_turn[member] = last_turn.get(member, 0), next(turns)
        try:
            await conversation.assign(member)
        except batonbox.AlreadyAssigned as error:
            last_turn[member] = before
            log.info("%s took %s themselves", error.by, conversation.id)
        except batonbox.Conflict as error:
            log.info("%s cannot have %s: %s", member, conversation.id, error)
            continue  # no member any more: the next one
        else:
            log.info("%s has %s", member, conversation.id)
        return
    log.info("nobody is there for %s", conversation.id)


@bot.every(seconds=5)
async def hand_out_what_is_left(ctx: batonbox.Context) -> None:
    async for conversation in ctx.client.conversations(view="unassigned"):
        await hand_out(conversation)


async def members_online(conversation: batonbox.Conversation) -> list[str]:
    """Who may have it, those first who have not had a turn for the longest time."""
    client = bot.client
    (inbox,) = [each for each in await client.inboxes() if each.id == conversation.inbox]
    there = [
        member
        for member in inbox.members
        if client.presence.get(member) == batonbox.Presence.ONLINE
        and member not in {client.user.id, conversation.now.last_assignee}
    ]
    return sorted(there, key=lambda member: last_turn.get(member, 0))


if __name__ == "__main__":
    bot.run()
