"""`batonbox-server health`: should this server get traffic? For health checks without curl.

A container asks every few seconds, so this loads neither the server nor an HTTP library:
`python -m batonbox_server.health` is the same command in a tenth of a second.
"""

from __future__ import annotations

import http.client
import json
import sys
from typing import Any, Final

import click

from batonbox_server import config

__all__ = ["health_command"]

_ANSWER_MAX_BYTES: Final = 65536
# What listens on every address is asked on this machine's own.
_EVERYWHERE: Final = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}  # noqa: S104


@click.command("health")
@click.option("--live", is_flag=True, help="Ask only whether the process answers (/livez).")
@click.option("--host", help="Address that the server listens on.")
@click.option("--port", type=int, help="Port that it listens on.")
@click.option(
    "--timeout", "timeout_s", type=click.FloatRange(min=0.1), default=5.0, show_default=True,
    help="Seconds to wait for the answer.",
)  # fmt: skip
def health_command(live: bool, timeout_s: float, **overrides: Any) -> None:
    """Ask the server whether it should get traffic, as /readyz says.

    Status 0: it should; 1: it should not, or does not answer; what fails is printed.
    """
    try:
        settings = config.load(**overrides)
    except config.ConfigError as error:
        raise click.ClickException(str(error)) from error
    if settings.port == 0:
        raise click.ClickException("Which port 0 became is not known here; name it by --port.")
    ok, said = _asked(settings, "/livez" if live else "/readyz", timeout_s=timeout_s)
    click.echo(said)
    sys.exit(0 if ok else 1)


def _asked(settings: config.Settings, path: str, *, timeout_s: float) -> tuple[bool, str]:
    """Whether the answer is 200, and what to say of it."""
    host = _EVERYWHERE.get(settings.host, settings.host)
    connection = http.client.HTTPConnection(host, settings.port, timeout=timeout_s)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        body = answer.read(_ANSWER_MAX_BYTES)
    except (OSError, http.client.HTTPException) as error:
        why = str(error) or type(error).__name__
        return False, f"no answer from {host}:{settings.port} ({why})"
    finally:
        connection.close()
    if answer.status == 200:
        return True, "alive" if path == "/livez" else "ready"
    failing = _failing(body)
    return False, f"not ready: {failing}" if failing else f"{path} says {answer.status}"


def _failing(body: bytes) -> str:
    """The names of the checks that fail; "" when it is no answer of ours."""
    try:
        checks = json.loads(body)["checks"].items()
    except (ValueError, LookupError, TypeError, AttributeError):
        return ""
    return ", ".join(name for name, holds in checks if not holds)


if __name__ == "__main__":
    health_command()
