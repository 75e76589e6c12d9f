"""What the commands say of themselves, and what they load to say it."""

from __future__ import annotations

import subprocess
import sys

from click.testing import CliRunner

from batonbox_server.cli import main


def test_the_list_of_commands_is_whole_on_80_columns() -> None:
    """Click cuts a first sentence that is longer, and leaves the reader with dots."""
    listed = CliRunner().invoke(main, ["--help"], terminal_width=80).output
    rows = listed.partition("Commands:\n")[2].splitlines()
    assert "  version" in "\n".join(rows)
    assert [row for row in rows if row.endswith("...")] == []


def test_a_command_loads_no_server_before_it_needs_one() -> None:
    script = (
        "import sys\n"
        "from batonbox_server.cli import main\n"
        "main(['token', '--help'], standalone_mode=False)\n"
        "print(*sys.modules.keys() & {'batonbox_server.node', 'redis', 'starlette', 'uvicorn'})\n"
    )
    told = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True
    )
    assert "Make an API token" in told.stdout
    assert told.stdout.splitlines()[-1] == ""
