"""`make gen`; with `--snapshot`, `make api-snapshot`: what stood there before may break then."""

from __future__ import annotations

import json
import sys

from batonbox_server.gen import ROOT, write
from batonbox_server.gen.api import SNAPSHOT, api_docs
from batonbox_server.gen.breaking import breaking

if "--snapshot" in sys.argv[1:]:
    path = ROOT / SNAPSHOT
    if path.exists():
        for broken in breaking(json.loads(path.read_text()), json.loads(api_docs().openapi)):
            sys.stdout.write(f"breaks clients: {broken}\n")
    path.write_text(api_docs().openapi, encoding="utf-8")
    sys.stdout.write(f"wrote {SNAPSHOT}\n")
else:
    for changed in write():
        sys.stdout.write(f"wrote {changed}\n")
