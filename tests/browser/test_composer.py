"""Writing: drafts, sending once, segments."""

from __future__ import annotations

from tests.browser.desk import Desk, expect
from tests.browser.kit import SignIn
from tests.relay import cuttable
from tests.served import Served


async def mine(site: Served, desk: Desk, user: str = "agent1") -> str:
    """A conversation of the desk's person, opened."""
    conv = await site.texts("Hi")
    assert (await site.act(user, conv, "assign")).is_success
    await desk.open(conv)
    await expect(desk.composer).to_be_visible()
    return conv


async def test_a_draft_outlives_reload_tabs_and_losing_the_conversation(
    site: Served, sign_in: SignIn
) -> None:
    page = await sign_in("agent1")
    ana = Desk(page)
    conv = await mine(site, ana)
    await ana.composer.fill("not sent yet")
    await page.reload()
    await expect(ana.composer).to_have_value("not sent yet")
    second = Desk(await page.context.new_page())
    await second.page.goto(page.url)
    await expect(second.composer).to_have_value("not sent yet")
    await second.composer.fill("changed there")
    await expect(ana.composer).to_have_value("changed there")
    assert (await site.act("agent1", conv, "return")).is_success
    await expect(ana.composer).to_have_count(0)
    assert (await site.act("agent1", conv, "assign")).is_success
    await expect(ana.composer).to_have_value("changed there")


async def test_pressing_enter_twice_sends_once(site: Served, sign_in: SignIn) -> None:
    ana = Desk(await sign_in("agent1"))
    await mine(site, ana)
    await ana.composer.fill("once")
    await ana.composer.evaluate(
        """(box) => {
          for (let i = 0; i < 2; i += 1) {
            box.dispatchEvent(new KeyboardEvent("keydown",
              {key: "Enter", ctrlKey: true, bubbles: true, cancelable: true}));
          }
        }"""
    )
    await ana.expect_texts(["Hi", "once"])
    await ana.send("twice")
    await ana.expect_texts(["Hi", "once", "twice"])
    assert await site.phone_with(2) == ["once", "twice"]


async def test_a_reply_whose_answer_was_lost_is_sent_once(site: Served, sign_in: SignIn) -> None:
    async with cuttable(site.port) as link:
        ana = Desk(await sign_in("agent1", url=link.url))
        await mine(site, ana)
        link.hold()
        await ana.send("hello again")
        await expect(ana.messages).to_contain_text("hello again")
        assert await site.phone_with(1) == ["hello again"]  # it took effect; nobody was told
        link.cut()
        link.release()
        await expect(ana.messages).to_contain_text("Delivered")
        await ana.expect_texts(["Hi", "hello again"])
    assert await site.phone() == ["hello again"]


async def test_segments_are_counted_as_carriers_do(site: Served, sign_in: SignIn) -> None:
    ana = Desk(await sign_in("agent1"))
    await mine(site, ana)
    for text, words in (
        ("a" * 160, "160/160 · 1 SMS"),
        ("a" * 161, "161/306 · 2 SMS"),
        ("a" * 158 + "€", "160/160 · 1 SMS"),  # the extension table takes two
        ("a" * 69 + "é", "70/160 · 1 SMS"),
        ("a" * 68 + "😀", "70/70 · 1 SMS"),
        ("a" * 69 + "😀", "71/134 · 2 SMS"),
    ):
        await ana.composer.fill(text)
        await expect(ana.panel).to_contain_text(words)
    await ana.composer.fill("a" * 1601)
    await expect(ana.panel.get_by_role("button", name="Send", exact=True)).to_be_disabled()


async def test_a_note_is_never_sent_and_looks_like_none_other(
    site: Served, sign_in: SignIn
) -> None:
    ana, bo = Desk(await sign_in("agent1")), Desk(await sign_in("agent2"))
    conv = await mine(site, ana)
    await ana.panel.get_by_role("button", name="Note", exact=True).click()
    await ana.panel.get_by_role("textbox", name="Write an internal note").fill("VIP customer")
    await ana.panel.get_by_role("button", name="Add note").click()
    await expect(ana.messages.locator("[data-kind=noted]")).to_contain_text("VIP customer")
    await bo.open(conv)
    await expect(bo.messages.locator("[data-kind=noted]")).to_contain_text("VIP customer")
    await ana.panel.get_by_role("button", name="Reply", exact=True).click()
    await ana.send("Hello")
    assert await site.phone_with(1) == ["Hello"]


async def test_a_new_conversation_is_claimed_and_sent_in_one_step(
    site: Served, sign_in: SignIn
) -> None:
    ana = Desk(await sign_in("agent1"))
    await ana.ready()
    await ana.list.get_by_role("button", name="New").click()
    dialog = ana.page.get_by_role("dialog", name="New conversation")
    await dialog.get_by_label("To", exact=True).fill("+1 416 555 0177")
    await dialog.get_by_label("Message", exact=True).fill("Your parcel is here.")
    await dialog.get_by_role("button", name="Send", exact=True).click()
    await expect(dialog).to_be_hidden()
    await ana.expect_texts(["Your parcel is here."])
    await expect(ana.composer).to_be_visible()
    assert await site.phone_with(1, "+14165550177") == ["Your parcel is here."]
