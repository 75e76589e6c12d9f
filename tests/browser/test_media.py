"""Files in messages: attached, uploaded, seen by everybody, and by the customer."""

from __future__ import annotations

import asyncio
import base64
import struct
import zlib
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import FilePayload, Locator, Page, Route

from tests.browser.admin_kit import looked_over
from tests.browser.desk import Desk, expect
from tests.browser.kit import SignIn
from tests.integration.test_webhook import Gateway, bound, inbound, listening, post
from tests.served import CUSTOMER, Served


def png(width: int = 40, height: int = 30) -> bytes:
    """A small picture, of stripes."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        checked = kind + data
        return struct.pack(">I", len(data)) + checked + struct.pack(">I", zlib.crc32(checked))

    rows = b"".join(
        b"\0" + bytes((x * 6 % 256, y * 8 % 256, 160)[i] for x in range(width) for i in range(3))
        for y in range(height)
    )
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    pieces = chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + pieces


def picture(name: str = "parcel.png") -> FilePayload:
    """What a person chooses."""
    return {"name": name, "mimeType": "image/png", "buffer": png()}


async def attach(page: Page, within: Locator, *files: FilePayload) -> None:
    """By the button with the paperclip."""
    async with page.expect_file_chooser() as choosing:
        await within.get_by_role("button", name="Attach files").click()
    await (await choosing.value).set_files(list(files))


async def expect_drawn(within: Locator, name: str) -> None:
    """Until the picture is there, and not only its frame."""
    shown = within.get_by_role("img", name=name)
    await expect(shown).to_be_visible()
    await expect(shown).to_have_js_property("complete", value=True)
    assert await shown.evaluate("(e) => e.decode().then(() => e.naturalWidth)") == 40


async def mine(site: Served, sign_in: SignIn) -> tuple[str, Desk]:
    """A conversation of Ana's, before her."""
    conv = await site.texts("Where is it?")
    assert (await site.act("agent1", conv, "assign")).is_success
    ana = Desk(await sign_in("agent1"))
    await ana.open(conv)
    await expect(ana.composer).to_be_visible()
    return conv, ana


async def phone_files(site: Served, customer: str = CUSTOMER) -> list[str]:
    """Names of the files that are on the customer's phone."""
    await site.phone_with(1, customer)
    to = customer.replace("+", "%2B")
    found = await site.get("admin", f"/v1/loopback/outbound?to={to}")
    return [file["name"] for item in found["items"] for file in item["files"]]


async def test_a_picture_reaches_the_customer_and_everybody_sees_it(
    site: Served, sign_in: SignIn
) -> None:
    conv, ana = await mine(site, sign_in)
    bo = Desk(await sign_in("agent2"))
    await bo.open(conv)
    await attach(ana.page, ana.panel, picture())
    attached = ana.panel.get_by_role("list", name="Attached files")
    await expect(attached.get_by_role("listitem")).to_contain_text("parcel.png")
    await expect(ana.panel).to_contain_text("MMS · ")
    await looked_over(ana.page)
    await ana.send("Here it is")
    await expect(attached).to_have_count(0)
    for desk in (ana, bo):
        await expect_drawn(desk.messages, "parcel.png")
        await expect(desk.messages.locator('[data-state="delivered"]')).to_be_visible()
    assert await phone_files(site) == ["parcel.png"]
    await looked_over(ana.page)
    await bo.page.reload()
    await expect_drawn(bo.messages, "parcel.png")
    async with bo.page.expect_download() as saving:
        await bo.messages.get_by_role("link", name="parcel.png").click()
    saved = await saving.value
    assert saved.suggested_filename == "parcel.png"
    assert await asyncio.to_thread((await saved.path()).read_bytes) == png()


async def test_files_alone_make_a_message_and_others_than_pictures_are_named(
    site: Served, sign_in: SignIn
) -> None:
    _, ana = await mine(site, sign_in)
    send = ana.panel.get_by_role("button", name="Send", exact=True)
    await expect(send).to_be_disabled()
    note: FilePayload = {"name": "hours.txt", "mimeType": "text/plain", "buffer": b"9 to 5"}
    await attach(ana.page, ana.panel, note, picture())
    attached = ana.panel.get_by_role("list", name="Attached files")
    await expect(attached.get_by_role("listitem")).to_have_count(2)
    await attached.get_by_role("button", name="Remove parcel.png").click()
    await expect(ana.composer).to_be_focused()
    await send.click()
    files = ana.messages.get_by_role("list", name="Attachments")
    await expect(files.get_by_role("link", name="hours.txt")).to_contain_text("Text · 6 bytes")
    assert await phone_files(site) == ["hours.txt"]


async def test_what_is_refused_says_why_and_holds_up_nothing(site: Served, sign_in: SignIn) -> None:
    _, ana = await mine(site, sign_in)
    page: FilePayload = {"name": "x.png", "mimeType": "image/png", "buffer": b"<html>hi</html>"}
    await attach(ana.page, ana.panel, page)
    attached = ana.panel.get_by_role("list", name="Attached files")
    await expect(attached.get_by_role("alert")).to_contain_text("This is not what image/png says")
    # Chromium's own words about the refusal.
    sign_in.complaints[:] = [c for c in sign_in.complaints if "the server responded" not in c]
    await looked_over(ana.page)
    send = ana.panel.get_by_role("button", name="Send", exact=True)
    await ana.composer.fill("Look at this")
    await expect(send).to_be_disabled()  # it would go without the file
    await ana.composer.press("Control+Enter")
    await expect(ana.composer).to_have_value("Look at this")
    await attached.get_by_role("button", name="Remove x.png").click()
    await expect(send).to_be_enabled()
    await attach(ana.page, ana.panel, page)
    await expect(attached.get_by_role("alert")).to_contain_text("This is not what image/png says")
    sign_in.complaints[:] = [c for c in sign_in.complaints if "the server responded" not in c]
    large: FilePayload = {"name": "long.mp4", "mimeType": "video/mp4", "buffer": bytes(6 << 20)}
    await attach(ana.page, ana.panel, large)
    await expect(ana.panel.get_by_role("alert")).to_contain_text("may have 5 MB together")
    await attach(ana.page, ana.panel, *(picture(f"{n}.png") for n in range(12)))
    await expect(attached.get_by_role("listitem")).to_have_count(10)
    await expect(ana.panel.get_by_role("alert")).to_contain_text("10.png was left out")
    await ana.send("So many")
    assert len(await phone_files(site)) == 10


async def test_nothing_is_sent_before_its_files_are_there(site: Served, sign_in: SignIn) -> None:
    _, ana = await mine(site, sign_in)
    held = asyncio.Event()

    async def hold(route: Route) -> None:
        await held.wait()
        await route.continue_()

    await ana.page.route("**/v1/media?**", hold)
    send = ana.panel.get_by_role("button", name="Send", exact=True)
    await attach(ana.page, ana.panel, picture(), picture("other.png"))
    attached = ana.panel.get_by_role("list", name="Attached files")
    await expect(attached.get_by_role("progressbar", name="Uploading parcel.png")).to_be_visible()
    await ana.composer.fill("Here")
    await expect(send).to_be_disabled()
    await ana.composer.press("Control+Enter")
    await expect(ana.composer).to_have_value("Here")
    await attached.get_by_role("button", name="Remove other.png").click()
    held.set()
    await expect(send).to_be_enabled()
    await send.click()
    await expect_drawn(ana.messages, "parcel.png")
    assert await phone_files(site) == ["parcel.png"]


async def test_files_stay_with_their_conversation(site: Served, sign_in: SignIn) -> None:
    other = await site.texts("Me too", customer="+14165550143")
    assert (await site.act("agent1", other, "assign")).is_success
    conv, ana = await mine(site, sign_in)
    await attach(ana.page, ana.panel, picture())
    attached = ana.panel.get_by_role("list", name="Attached files")
    await expect(attached.get_by_role("listitem")).to_contain_text("PNG picture")
    await ana.open(other)
    await expect(attached).to_have_count(0)
    await ana.open(conv)
    await expect(attached.get_by_role("listitem")).to_contain_text("parcel.png")


@pytest.mark.parametrize("how", ["paste", "drop"])
async def test_pictures_are_pasted_and_dropped(site: Served, sign_in: SignIn, how: str) -> None:
    _, ana = await mine(site, sign_in)
    await ana.composer.evaluate(
        """(box, [how, data]) => {
          const bytes = Uint8Array.from(atob(data), (c) => c.charCodeAt(0));
          const carried = new DataTransfer();
          carried.items.add(new File([bytes], "shot.png", {type: "image/png"}));
          const options = {bubbles: true, cancelable: true};
          box.dispatchEvent(how === "paste"
            ? new ClipboardEvent("paste", {...options, clipboardData: carried})
            : new DragEvent("drop", {...options, dataTransfer: carried}));
        }""",
        [how, base64.b64encode(png()).decode()],
    )
    attached = ana.panel.get_by_role("list", name="Attached files")
    await expect(attached.get_by_role("listitem")).to_contain_text("PNG picture")
    await ana.page.keyboard.press("Tab")
    await ana.composer.press("Control+Enter")
    await expect_drawn(ana.messages, "shot.png")


async def test_a_new_conversation_begins_with_a_picture(site: Served, sign_in: SignIn) -> None:
    ana = Desk(await sign_in("agent1"))
    await ana.ready()
    await ana.list.get_by_role("button", name="New").click()
    dialog = ana.page.get_by_role("dialog", name="New conversation")
    await dialog.get_by_label("To", exact=True).fill("+1 416 555 0177")
    await attach(ana.page, dialog, picture())
    await expect(dialog.get_by_role("listitem")).to_contain_text("PNG picture")
    await looked_over(ana.page)
    await dialog.get_by_role("button", name="Send", exact=True).click()
    await expect(dialog).to_be_hidden()
    await expect_drawn(ana.messages, "parcel.png")
    assert await phone_files(site, "+14165550177") == ["parcel.png"]


async def test_the_phone_shows_what_it_was_sent(site: Served, sign_in: SignIn) -> None:
    conv = await site.texts("Where is it?")
    assert (await site.act("admin", conv, "assign")).is_success
    alex = Desk(await sign_in("admin"))
    await alex.open(conv)
    await attach(alex.page, alex.panel, picture())
    await alex.send("Here")
    await expect(alex.messages.locator('[data-state="delivered"]')).to_be_visible()
    await alex.nav.get_by_role("link", name="Phone", exact=True).click()
    phone = alex.page.get_by_role("log", name="Phone messages")
    await expect(phone).to_contain_text("Here")
    await expect_drawn(phone, "parcel.png")
    await looked_over(alex.page)


class Shop:
    """Where a carrier keeps customers' files: not there until `open`."""

    def __init__(self) -> None:
        self.open = False
        self.asked = 0
        self.url = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One request."""
        await reader.readuntil(b"\r\n\r\n")
        self.asked += 1
        status, body = ("200 OK", png()) if self.open else ("503 Later", b"")
        head = f"HTTP/1.1 {status}\r\ncontent-type: image/png\r\ncontent-length: {len(body)}\r\n"
        writer.write(head.encode() + b"connection: close\r\n\r\n" + body)
        await writer.drain()
        writer.close()


class TestFromCustomers:
    """Files that the carrier keeps, and the server fetches."""

    @pytest_asyncio.fixture(loop_scope="session")
    async def gateway(self) -> AsyncIterator[Gateway]:
        """A carrier's server."""
        async with listening() as gateway:
            yield gateway

    @pytest_asyncio.fixture(loop_scope="session")
    async def site(self, engine_url: str, prefix: str, gateway: Gateway) -> AsyncIterator[Served]:
        """A node that may fetch files from this machine."""
        async with bound(engine_url, prefix, gateway, as_demo=True, media_private=True) as site:
            yield site

    async def test_a_customers_picture_appears_when_it_has_been_fetched(
        self, site: Served, sign_in: SignIn
    ) -> None:
        shop = Shop()
        server = await asyncio.start_server(shop.serve, "127.0.0.1", 0)
        shop.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/lamp.png"
        async with server:
            said = {**inbound(""), "media": [shop.url]}
            answer = await post(site, "/v1/webhook/inbound", said)
            assert answer.is_success, answer.text
            ana = Desk(await sign_in("agent1"))
            await ana.open(str(answer.json()["conv"]))
            await expect(ana.messages).to_contain_text("Being fetched from the carrier…")
            await looked_over(ana.page)
            shop.open = True
            await expect(ana.messages.get_by_role("img")).to_be_visible(timeout=30_000)
            await expect_drawn(ana.messages, "lamp.png")
            assert shop.asked > 1
        # Chromium's own words about 503, which is what "not yet" is called.
        sign_in.complaints[:] = [c for c in sign_in.complaints if "status of 503" not in c]
