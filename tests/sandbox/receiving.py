"""A receiver of the sandbox's posts, on loopback."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from urllib.parse import parse_qsl

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sandbox.web import serving


@dataclass(frozen=True)
class Received:
    url: str
    headers: dict[str, str]
    body: bytes

    @property
    def form(self) -> dict[str, str]:
        return dict(parse_qsl(self.body.decode(), keep_blank_values=True))


@dataclass
class Receiver:
    url: str = ""
    posts: list[Received] = field(default_factory=list)

    async def receive(self, request: Request) -> Response:
        body = await request.body()
        self.posts.append(Received(str(request.url), dict(request.headers), body))
        return Response(status_code=204)

    def statuses(self) -> list[str]:
        return [post.form["MessageStatus"] for post in self.posts]


@asynccontextmanager
async def receiving() -> AsyncIterator[Receiver]:
    """Take any POST at the receiver's `url`, and below it, until the block ends."""
    receiver = Receiver()
    app = Starlette(routes=[Route("/{path:path}", receiver.receive, methods=["POST"])])
    async with serving(app, "127.0.0.1", 0) as port:
        receiver.url = f"http://127.0.0.1:{port}"
        yield receiver
