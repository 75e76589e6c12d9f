"""`make gen`."""

from __future__ import annotations

import sys

from batonbox_server.gen import write

for changed in write():
    sys.stdout.write(f"wrote {changed}\n")
