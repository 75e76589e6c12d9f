"""What the commands say of themselves."""

from __future__ import annotations

from click.testing import CliRunner

from batonbox_server.cli import main


def test_the_list_of_commands_is_whole_on_80_columns() -> None:
    """Click cuts a first sentence that is longer, and leaves the reader with dots."""
    listed = CliRunner().invoke(main, ["--help"], terminal_width=80).output
    rows = listed.partition("Commands:\n")[2].splitlines()
    assert "  version" in "\n".join(rows)
    assert [row for row in rows if row.endswith("...")] == []
