"""Real proxies with the project's own configuration, on free ports of loopback."""

from __future__ import annotations

import asyncio
import os
import re
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.certificates import certificate
from tests.ports import free_port
from tests.programs import program

__all__ = ["CADDY", "FRONTS", "NGINX", "Front"]

_DEPLOY: Final = Path(__file__).parents[2] / "deploy"
NGINX: Final = _DEPLOY / "nginx"
CADDY: Final = _DEPLOY / "caddy" / "Caddyfile"
# What Debian's own nginx.conf has around conf.d, with every file in a folder of the test's.
_MAIN: Final = """
daemon off; pid {0}/pid; error_log {0}/error.log; worker_processes 1;
events {{ worker_connections 256; }}
http {{
    client_body_temp_path {0}/body; proxy_temp_path {0}/proxy; fastcgi_temp_path {0}/fastcgi;
    uwsgi_temp_path {0}/uwsgi; scgi_temp_path {0}/scgi;
    include {0}/conf.d/*.conf;
}}
"""


@dataclass(frozen=True)
class Front:
    """Where it listens, whom to trust, where its log is."""

    plain: str
    url: str
    trusted: Path
    log: Path


def _replaced(text: str, *pairs: tuple[str, str]) -> str:
    """The text with each of these in place; all of them have to be in it."""
    for old, new in pairs:
        found, count = re.subn(old, new, text)
        assert count, f"{old} is not there"
        text = found
    return text


@asynccontextmanager
async def _nginx(folder: Path, backend: int) -> AsyncIterator[Front]:
    """`nginx -t` has to be content first."""
    nginx = program("nginx", package="nginx")
    trusted, key = certificate(folder)
    plain, secure, log = free_port(), free_port(), folder / "access.log"
    site = _replaced(
        (NGINX / "batonbox.conf").read_text(encoding="utf-8"),
        (r"(?m)^    listen \[::\].*\n", ""),
        (r"listen 80;", f"listen 127.0.0.1:{plain};"),
        (r"listen 443 ", f"listen 127.0.0.1:{secure} "),
        (r"/etc/nginx/tls/tls\.crt", str(trusted)),
        (r"/etc/nginx/tls/tls\.key", str(key)),
        (r"/var/log/nginx/access\.log", str(log)),
        (r"inbox\.example\.com", "127.0.0.1"),
    )
    upstream = _replaced(
        (NGINX / "upstream.conf").read_text(encoding="utf-8"),
        (r"server 127\.0\.0\.1:8080", f"server 127.0.0.1:{backend}"),
    )
    (folder / "conf.d").mkdir()
    (folder / "conf.d" / "batonbox.conf").write_text(site)
    (folder / "conf.d" / "upstream.conf").write_text(upstream)
    main = folder / "nginx.conf"
    main.write_text(_MAIN.format(folder))
    words = [nginx, "-p", str(folder), "-e", str(folder / "error.log"), "-c", str(main)]
    status, said = await _done(*words, "-t")
    assert status == 0 and "[warn]" not in said, said
    async with _running(*words, port=secure):
        yield Front(f"http://127.0.0.1:{plain}", f"https://127.0.0.1:{secure}", trusted, log)


@asynccontextmanager
async def _caddy(folder: Path, backend: int) -> AsyncIterator[Front]:
    """With a certificate of the test's in place of one that it would fetch."""
    caddy = program("caddy", package="caddy")
    trusted, key = certificate(folder)
    plain, secure, log = free_port(), free_port(), folder / "access.log"
    site = _replaced(
        CADDY.read_text(encoding="utf-8"),
        (r"(?m)^inbox\.example\.com \{", f"127.0.0.1 {{\n\ttls {trusted} {key}"),
        (r"log \{", f"log {{\n\t\toutput file {log}"),
        (r"reverse_proxy 127\.0\.0\.1:8080", f"reverse_proxy 127.0.0.1:{backend}"),
    )
    ports = f"http_port {plain}\n\thttps_port {secure}\n\tadmin off\n\tskip_install_trust"
    file = folder / "Caddyfile"
    file.write_text(f"{{\n\t{ports}\n}}\n{site}")
    own = ["env", f"HOME={folder}", f"XDG_DATA_HOME={folder}", f"XDG_CONFIG_HOME={folder}", caddy]
    words = ["--config", str(file), "--adapter", "caddyfile"]
    status, said = await _done(*own, "validate", *words)
    assert status == 0, said
    async with _running(*own, "run", *words, port=secure, log=folder / "error.log"):
        yield Front(f"http://127.0.0.1:{plain}", f"https://127.0.0.1:{secure}", trusted, log)


# Each is given a folder of its own, and the port of the server behind it.
FRONTS: Final[dict[str, Callable[[Path, int], AbstractAsyncContextManager[Front]]]] = {
    "nginx": _nginx,
    "caddy": _caddy,
}


@asynccontextmanager
async def _running(*words: str, port: int, log: Path | None = None) -> AsyncIterator[None]:
    out = os.open(log or os.devnull, os.O_WRONLY | os.O_CREAT)
    process = await asyncio.create_subprocess_exec(*words, stdout=out, stderr=out)
    os.close(out)
    try:
        await _accepts(port)
        yield
    finally:
        process.terminate()
        await asyncio.wait_for(process.wait(), 30)


async def _done(*words: str) -> tuple[int | None, str]:
    asked = await asyncio.create_subprocess_exec(
        *words, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    said, _ = await asyncio.wait_for(asked.communicate(), 30)
    return asked.returncode, said.decode()


async def _accepts(port: int) -> None:
    for _ in range(1500):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        await asyncio.sleep(0.01)
    raise AssertionError("the proxy never listened")
