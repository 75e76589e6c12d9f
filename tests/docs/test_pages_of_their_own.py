"""Pages whose blocks take more than a server: a carrier to talk to."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

from tests.docs.blocks import blocks_of
from tests.integration.twilio_vendor import PUBLIC, SID, TOKEN, listening
from tests.pages import shell
from tests.programs import program
from tests.served import SALES, served


async def test_the_account_of_the_carriers_page_is_made_and_checked(
    engine_url: str, prefix: str, tmp_path: Path
) -> None:
    program("curl", package="curl")
    helpers = [b.text for b in blocks_of("docs/administration.md") if "api()" in b.text]
    (made,) = [b.text for b in blocks_of("docs/carriers.md") if b.kind == "sh"]
    made = made.replace("AC…", SID).replace("the auth token", TOKEN)
    async with (
        listening() as vendor,
        served(engine_url, prefix, public_url=PUBLIC, twilio_url=vendor.url) as site,
    ):
        known = {"URL": site.url, "KEY": await site.token("admin")}
        with shell(helpers[0] + made, tmp_path, **known) as process:
            printed, errors = await asyncio.to_thread(process.communicate, timeout=30)
        assert process.returncode == 0, errors
        account, checked, number = map(json.loads, printed.splitlines())
    assert (account["id"], account["secret"], account["problem"]) == ("main-line", "set", "")
    assert checked == {"ok": True, "says": ""}
    assert (number["number"], number["carrier"], number["inbox"]) == (SALES, "main-line", "sales")
