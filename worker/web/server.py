"""The web application on a port, until the context ends."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import uvicorn
from starlette.types import ASGIApp

from pipeline.domain.errors import InputError
from worker.web.connection import Connection
from worker.web.pages import STYLE_HASH

_PATIENCE = 5.0  # seconds that requests get to end
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
    server = uvicorn.Server(_config(site))
    server.config.load()
    server.lifespan = server.config.lifespan_class(server.config)
    await server.startup(sockets=[listener])
    await server.on_tick(0)  # which makes the headers of every answer
    ticking = asyncio.create_task(server.main_loop())
    try:
        yield _address(listener)
    finally:
        ticking.cancel()
        await asyncio.wait([ticking])
        await _close(server)


def _config(site: ASGIApp) -> uvicorn.Config:
    return uvicorn.Config(
        site,
        http=Connection,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,  # paths hold tokens
        server_header=False,
        proxy_headers=False,
        headers=_HEADERS,
        timeout_keep_alive=_IDLE_SECONDS,
    )


async def _close(server: uvicorn.Server) -> None:
    """Let the requests being served end; uvicorn's own way looks for that every 0.1 s."""
    for listening in server.servers:
        listening.close()
    connections = list(server.server_state.connections)
    for connection in connections:
        connection.shutdown()
    if server.server_state.tasks:
        await asyncio.wait(server.server_state.tasks, timeout=_PATIENCE)
    for connection in connections:
        connection.transport.abort()
    for listening in server.servers:
        await listening.wait_closed()
    # The loop closes the sockets in its next round.
    await asyncio.sleep(0)


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
