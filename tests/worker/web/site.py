"""The web application on a loopback port over a real installation, and outages on demand."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import httpx
from twilio.request_validator import RequestValidator  # type: ignore[import-untyped] # no py.typed

from config.settings import load_settings
from pipeline.callbacks.signed_tokens import Purpose, Target
from pipeline.domain.batch import Lane
from pipeline.domain.models import ChannelName
from pipeline.store.batches import Claim
from pipeline.store.formats.records import DeliveryRecord
from pipeline.store.keys import due_key
from tests.pipeline.installation import Installation
from tests.support.redis import raw
from worker.web.application import web_application
from worker.web.server import serving
from worker.wiring.engine import open_app
from worker.wiring.ledger import App

PUBLIC = "https://claims.example.org/hooks"
AUTH_TOKEN = "0123456789abcdef"


@dataclass(frozen=True, slots=True)
class Site:
    """A running site; `installation` brings campaigns to a state by the real store."""

    app: App
    address: str
    client: httpx.AsyncClient
    installation: Installation

    def token(self, purpose: Purpose, serial: str, batch: int = 1, **more: Any) -> str:  # noqa: ANN401 - the fields of a target
        return self.app.tokens.make(purpose, Target(serial=serial, batch=batch, **more))

    async def signal(self, serial: str, batch: int = 1) -> httpx.Response:
        token = self.token(Purpose.FULFILMENT, serial, batch)
        return await self.client.post(f"/webhooks/fulfillment/{token}", json={"Status": "?"})

    async def twilio(
        self, path: str, form: dict[str, str], *, signature: bytes | None = None
    ) -> httpx.Response:
        """Post *form* as Twilio would, signed for our public address."""
        if signature is None:
            validator = RequestValidator(AUTH_TOKEN)
            text = validator.compute_signature(f"{PUBLIC}/webhooks/twilio/{path}", form)
            signature = text.encode()
        headers = {b"X-Twilio-Signature": signature}
        return await self.client.post(f"/webhooks/twilio/{path}", data=form, headers=headers)

    async def waiting(self, serial: str) -> Claim:
        """Order the first batch, look in vain, and come again in an hour; return the claim."""
        [claim, *_] = await self.installation.ordered(serial)
        await self.app.batches.release(claim, delay=3600)
        return claim

    async def is_due(self, serial: str, batch: int = 1, lane: Lane = Lane.READ) -> bool:
        seconds, _ = await self.app.redis.time()
        score = await self.installation.redis.zscore(due_key(serial, lane), str(batch))
        assert score is not None
        return float(score) / 1000 <= int(seconds) + 1

    async def wakes(self) -> int:
        """Return how many scripts Redis ran so far."""
        found = await self.app.redis.info("commandstats")
        return int(found.get("cmdstat_evalsha", {"calls": 0})["calls"])

    async def records(self, serial: str, index: int = 0) -> tuple[DeliveryRecord, ...]:
        return (await self.app.deliveries.read(serial, 1))[index]

    async def reason(self, channel: ChannelName, address: str) -> str | None:
        [found] = await self.app.suppressions.reasons([(channel, address)])
        return found


def client_of(address: str) -> httpx.AsyncClient:
    # Certificates are not needed, and loading them takes longer than most tests.
    client = httpx.AsyncClient(base_url=f"http://{address}", trust_env=False, verify=False)  # noqa: S501 - loopback
    client.timeout = httpx.Timeout(120)
    return client


@asynccontextmanager
async def open_site() -> AsyncIterator[Site]:
    """Open what the environment says, and serve it."""
    async with (
        open_app(load_settings(None)) as app,
        web_application(app) as site,
        serving(site, "127.0.0.1", 0) as address,
        client_of(address) as client,
    ):
        installation = Installation(
            raw(app.redis), app.vault, app.campaigns, app.batches, app.deliveries
        )
        yield Site(app, address, client, installation)


class Line:
    """A TCP line to the server of *url* (unix://) that can be cut and mended."""

    def __init__(self, url: str) -> None:
        self._path = urlsplit(url).path
        self._up = True
        self._open: set[asyncio.StreamWriter] = set()
        self._calls: set[asyncio.Task[None]] = set()
        self.url = ""

    def cut(self) -> None:
        self._up = False
        for writer in list(self._open):
            writer.close()

    def mend(self) -> None:
        self._up = True

    @classmethod
    @asynccontextmanager
    async def opened(cls, url: str) -> AsyncIterator["Line"]:
        line = cls(url)
        server = await asyncio.start_server(line._accept, "127.0.0.1", 0)
        line.url = f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        try:
            yield line
        finally:
            server.close()
            line.cut()
            await asyncio.gather(*line._calls)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        call = asyncio.create_task(self._carry(reader, writer))
        self._calls.add(call)

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        ends = {writer}
        if self._up:
            back, forth = await asyncio.open_unix_connection(self._path)
            ends.add(forth)
            self._open |= ends
            with suppress(OSError):
                await asyncio.gather(_copy(reader, forth), _copy(back, writer))
        for end in ends:
            end.close()
            with suppress(OSError):
                await end.wait_closed()
        self._open -= ends


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(1 << 16):
            writer.write(data)
            await writer.drain()
    finally:
        writer.close()


async def exchanged(address: str, *parts: bytes) -> bytes:
    """Send raw bytes and return all that comes until the other end closes, or cuts the line."""
    host, _, port = address.rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    received = bytearray()

    async def receive() -> None:
        with suppress(ConnectionError):
            while data := await reader.read(1 << 16):
                received.extend(data)

    async def send() -> None:
        with suppress(ConnectionError):
            for part in parts:
                writer.write(part)
                await writer.drain()

    try:
        async with asyncio.timeout(120):
            await asyncio.gather(receive(), send())
    finally:
        writer.transport.abort()
    return bytes(received)
