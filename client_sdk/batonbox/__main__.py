"""`python -m batonbox`."""

from __future__ import annotations

import sys

from batonbox.cli import main

sys.exit(main())
