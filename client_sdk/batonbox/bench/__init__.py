"""Load on a server, and what it does with it: `batonbox bench`, and the parts it is made of.

address = Address.of("http://127.0.0.1:8080")
audience = Audience(timed=True)
make = lambda n: Subscriber(address, token, ["sales"], audience)
await open_all(make, 1000)
sender = await open_one(lambda: Commander(address, token))
sender.command("note", {"conv": conv, "text": "...", "cid": stamp("run", perf_counter())}, then)
await audience.until({"sales": seq}, timeout_s=10)
audience.account({"sales": seq})   # delivered, lost, doubled, out of order
"""

from batonbox.bench.address import Address
from batonbox.bench.commander import Commander, failure
from batonbox.bench.digest import Digests, Run, stamp
from batonbox.bench.lean import Lean, Refused, masked, packed
from batonbox.bench.opening import Turned, open_all, open_one, raise_file_limit
from batonbox.bench.subscriber import Audience, Subscriber
from batonbox.bench.tally import Account, Tally

__all__ = [
    "Account",
    "Address",
    "Audience",
    "Commander",
    "Digests",
    "Lean",
    "Refused",
    "Run",
    "Subscriber",
    "Tally",
    "Turned",
    "failure",
    "masked",
    "open_all",
    "open_one",
    "packed",
    "raise_file_limit",
    "stamp",
]
