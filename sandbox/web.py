"""An ASGI application on a loopback port, with connections that can be cut."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import uvicorn
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

_PATIENCE = 5.0  # seconds that requests get to end


async def json_object(
    request: Request, *, parse_float: Callable[[str], Any] = float
) -> dict[str, Any]:
    """Return the body; raises HTTPException 400 unless it is a JSON object."""
    try:
        body = json.loads(await request.body(), parse_float=parse_float)
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise HTTPException(400, "The body must be a JSON object")
    return body


def window(request: Request) -> tuple[int, int]:
    """Return `since` and `limit` of the query; raises HTTPException 400 unless numbers."""
    query = request.query_params
    try:
        return int(query.get("since") or 0), int(query.get("limit") or -1)
    except ValueError:
        raise HTTPException(400, "since and limit must be numbers") from None


class HangUp(Response):
    """Closes the TCP connection without an answer."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - ASGI's
        scope["state"]["hang_up"]()
        while (await receive())["type"] != "http.disconnect":
            pass


class _Protocol(HttpToolsProtocol):
    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.scope["state"]["hang_up"] = self.transport.abort


@asynccontextmanager
async def serving(app: ASGIApp, host: str, port: int) -> AsyncIterator[int]:
    """
    Serve *app* and yield the port; port 0 takes a free one.

    Installs no signal handlers. Raises OSError if the port is taken.
    """
    listener = _listener(host, port)
    config = uvicorn.Config(
        app,
        http=_Protocol,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        timeout_keep_alive=75,
    )
    config.load()
    server = uvicorn.Server(config)
    server.lifespan = config.lifespan_class(config)
    await server.startup(sockets=[listener])
    ticking = asyncio.create_task(server.main_loop())
    try:
        yield listener.getsockname()[1]
    finally:
        ticking.cancel()
        await asyncio.wait([ticking])
        await _close(server)


async def _close(server: uvicorn.Server) -> None:
    """
    Let the requests being served end, for a few seconds.

    uvicorn's own way sleeps for 0.2 s even where there is none, and each test has its own sandbox.
    """
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


def _listener(host: str, port: int) -> socket.socket:
    # With any other protocol number, asyncio leaves Nagle's algorithm on: 40 ms per answer.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError:
        listener.close()
        raise
    return listener
