"""What an operator writes into kannel.conf, so that Kannel works with an account of ours."""

from __future__ import annotations

from typing import Final
from urllib.parse import urlsplit

__all__ = ["PASSWORD_HERE", "setup_text"]

PASSWORD_HERE: Final = "PASSWORD-OF-THIS-ACCOUNT"  # noqa: S105
_DEFAULT_PORT: Final = 13013

# Each line is needed; docs/kannel.md says what for.
_SETUP: Final = """\
# Into the group smsbox that is there (this is all of it, if there is none):
group = smsbox
bearerbox-host = 127.0.0.1
sendsms-port = {port}
http-request-retry = 8640
http-queue-delay = 10
http-timeout = 30
max-pending-requests = 1

# Batonbox sends by this user; type the account's password here.
group = sendsms-user
username = {username}
password = {password}
concatenation = true
max-messages = 30

# Customers' messages go to batonbox, and nothing is answered from here.
group = sms-service
keyword = default
catch-all = true
max-messages = 0
post-url = "{inbound_url}"
"""


def setup_text(*, url: str, username: str, inbound_url: str) -> str:
    """Groups for kannel.conf; an empty line ends a group there."""
    port = urlsplit(url).port or _DEFAULT_PORT
    return _SETUP.format(
        port=port, username=username, password=PASSWORD_HERE, inbound_url=inbound_url
    )
