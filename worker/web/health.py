"""Whether this process is alive, and whether it can do its work."""

import asyncio

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from pipeline.store.fleet.server import Server
from pipeline.store.outages import STORE_ERRORS

_PATIENCE = 1.0


class Health:
    """`/healthz` and `/readyz`; see their methods."""

    def __init__(self, server: Server) -> None:
        self._server = server

    async def alive(self, request: Request) -> Response:  # noqa: ARG002 - Starlette's signature
        return PlainTextResponse("ok\n")

    async def ready(self, request: Request) -> Response:  # noqa: ARG002 - Starlette's signature
        """Answer 200 if Redis answers within a second, else 503."""
        try:
            async with asyncio.timeout(_PATIENCE):
                await self._server.ping()
        except STORE_ERRORS:
            return PlainTextResponse("Redis does not answer within a second.\n", 503)
        return PlainTextResponse("ready\n")
