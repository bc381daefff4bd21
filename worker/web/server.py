"""The web application on a port, until the context ends."""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

import uvicorn
from starlette.types import ASGIApp

from pipeline.domain.errors import InputError
from worker.web.connection import BoundedHttpProtocol
from worker.web.pages import STYLE_HASH

_PATIENCE = 5  # seconds that requests get to end
_IDLE_SECONDS = 15

_POLICY = f"""
default-src 'none'; style-src '{STYLE_HASH}'; form-action 'self'; base-uri 'none';
frame-ancestors 'none'
"""

# Beside every answer, also those that the application never sees.
_HEADERS = [
    ("X-Content-Type-Options", "nosniff"),
    ("X-Frame-Options", "DENY"),
    ("Referrer-Policy", "no-referrer"),
    ("Cache-Control", "no-store"),
    ("Content-Security-Policy", " ".join(_POLICY.split())),
]


@asynccontextmanager
async def serving(site: ASGIApp, host: str, port: int) -> AsyncIterator[str]:
    """
    Serve *site* and yield the address, such as `127.0.0.1:8080`; port 0 takes a free one.

    At the end nothing new is accepted, and what is being answered gets a few seconds. Installs no
    signal handlers. Raises InputError if it can't listen there.
    """
    listener = await _listener(host, port)
    listener.listen()  # a client that connects from now on is served
    server = _Server(_config(site))
    served = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        yield _address(listener)
    finally:
        server.should_exit = True
        await served


class _Server(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals to the command."""
        yield


def _config(site: ASGIApp) -> uvicorn.Config:
    return uvicorn.Config(
        site,
        http=BoundedHttpProtocol,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,  # paths hold tokens
        server_header=False,
        proxy_headers=False,
        headers=_HEADERS,
        timeout_keep_alive=_IDLE_SECONDS,
        timeout_graceful_shutdown=_PATIENCE,
    )


async def _listener(host: str, port: int) -> socket.socket:
    # With any other protocol number, asyncio leaves Nagle's algorithm on: 40 ms per answer.
    protocol = socket.IPPROTO_TCP
    try:
        found = await asyncio.get_running_loop().getaddrinfo(
            host, port, type=socket.SOCK_STREAM, proto=protocol, flags=socket.AI_PASSIVE
        )
        family, _, _, _, address = found[0]
        listener = socket.socket(family, socket.SOCK_STREAM, protocol)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
        except OSError:
            listener.close()
            raise
    except OSError as error:
        reason = error.strerror or type(error).__name__
        msg = f"Cannot listen on {host} port {port} ({reason}); choose others: --host, --port."
        raise InputError(msg) from error
    return listener


def _address(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
