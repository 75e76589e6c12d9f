"""Answers customers whom nobody has: takes what they begin, and lets people have it when asked to.

    BATONBOX_TOKEN=... python auto_reply.py

A customer who says "agent" gets a person: the bot hands back and stays out of that conversation.
One who says "bye" is done. Several copies may run, and one that was away catches up: `group`.
"""

import logging

import batonbox

ANSWERS = {
    "hours": "We are there from Monday to Friday, nine to five.",
    "prices": "Our prices: https://example.com/prices",
}
HELLO = 'Hello, I am a robot. I know our "hours" and "prices"; say "agent" to talk to a person.'
AGENT = "I have told my colleagues: one of them will answer you here."
BYE = "Good bye! Write again whenever you like."
WAITED_S = 300

bot = batonbox.Bot(group="auto-reply")
log = logging.getLogger("auto_reply")


@bot.message()
async def is_it_ours(event: batonbox.MessageReceived, ctx: batonbox.Context) -> object:
    """Take what begins and go on with what is ours; everything else is people's."""
    begins = event.before is None or event.before.status == "done"
    # As it is now: we may have taken it since this was written, or handed it back.
    ours = event.conversation.now.assignee == ctx.client.user.id
    if ours or (begins and await event.conversation.try_claim()):
        return batonbox.PASS  # to the handlers below
    return None


@bot.message(r"(?i)\b(agent|human|person)\b")
async def hand_back(event: batonbox.MessageReceived) -> None:
    await event.conversation.reply(AGENT)
    await event.conversation.release()


@bot.message(r"(?i)\b(hours|prices)\b")
async def answer(event: batonbox.MessageReceived, ctx: batonbox.Context) -> None:
    assert ctx.match is not None
    await event.conversation.reply(ANSWERS[ctx.match[0].lower()])


@bot.message(r"(?i)\b(bye|thanks|thank you)\b")
async def leave(event: batonbox.MessageReceived) -> None:
    await event.conversation.reply(BYE)
    await event.conversation.done()


@bot.message()
async def explain(event: batonbox.MessageReceived) -> None:
    await event.conversation.reply(HELLO)


@bot.unassigned(older_than_s=WAITED_S)
async def nobody_came(conversation: batonbox.Conversation, ctx: batonbox.Context) -> None:
    """Take whom people leave waiting, or who wrote before there was this bot."""
    now = conversation.now
    handed_back = now.last_assignee == ctx.client.user.id
    if now.waiting_since and not handed_back and await conversation.try_claim():
        await conversation.reply(HELLO)


@bot.error
async def failed(error: Exception, event: batonbox.ConversationEvent | None) -> None:
    if isinstance(error, batonbox.NotOwner | batonbox.StaleToken | batonbox.NewActivity):
        log.info("it went on without us: %s", error)  # a colleague took over, or the customer wrote
        return
    log.error("could not handle %s", event, exc_info=error)
    if event is not None and event.conversation.now.assignee == bot.client.user.id:
        await event.conversation.release()  # rather than keep whom we cannot answer


if __name__ == "__main__":
    bot.run()
