"""For tests of what you build on batonbox: the real server, and bots without a network.

`LocalServer` needs `pip install batonbox-server`; the pytest plugin gives it as `batonbox_server`.
"""

from __future__ import annotations

from batonbox.testing._customer import Customer
from batonbox.testing._server import LocalServer
from batonbox.testing._tester import BotTester, Call, Sent

__all__ = ["BotTester", "Call", "Customer", "LocalServer", "Sent"]
