"""Whatever a client sends, it gets one sentence, and nothing it does costs much."""

import asyncio
import socket
from collections.abc import AsyncIterator

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send

from pipeline.callbacks.signed_tokens import Purpose
from pipeline.domain.errors import InputError
from tests.support.prolong import prolong
from tests.support.waiting import wait_until
from tests.worker.web.site import Line, Site, client_of, exchanged, open_site
from worker.web import connection, server
from worker.web.server import serving

HEADERS = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cache-control": "no-store",
}


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/", 404),
        ("GET", "/webhooks", 404),
        ("POST", "/webhooks/fulfillment/", 404),
        ("POST", "/webhooks/fulfillment/a/b", 404),
        ("GET", "/webhooks/fulfillment/a", 405),
        ("GET", "/webhooks/twilio/inbound", 405),
        ("DELETE", "/unsubscribe/a", 405),
        ("POST", "/metrics", 405),
        ("GET", "/healthz", 200),
        ("GET", "/unsubscribe/a", 404),
        ("POST", "/webhooks/twilio/a", 403),
    ],
)
async def test_every_answer_is_one_sentence_with_safe_headers(
    site: Site, method: str, path: str, status: int
) -> None:
    answer = await site.client.request(method, path)
    assert answer.status_code == status
    assert HEADERS.items() <= dict(answer.headers).items()
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert "server" not in answer.headers
    if answer.headers["content-type"].startswith("text/plain"):
        assert len(answer.text.splitlines()) == 1


@pytest.mark.parametrize(
    "request_",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET /\xff HTTP/1.1\r\nHost: x\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: x\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"GET / HTTP/1.1\r\nA\0: b\r\n\r\n",
    ],
)
async def test_what_is_not_http_gets_a_sentence(site: Site, request_: bytes) -> None:
    answer = await exchanged(site.address, request_)
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400 ")
    assert b"x-content-type-options: nosniff" in head.lower()
    assert body == b"This is not a proper HTTP/1.1 request.\n"


@pytest.mark.parametrize(
    "parts",
    [
        [b"GET / HTTP/1.1\r\nA: ", *[b"b" * 1000] * 100],
        [b"GET / HTTP/1.1\r\n", *[b"A: b\r\n" * 100] * 100],
        [b"GET /", *[b"a" * 1000] * 100],
    ],
)
async def test_headers_have_an_end(site: Site, parts: list[bytes]) -> None:
    answer = await exchanged(site.address, *parts)
    assert answer == b"" or answer.startswith(b"HTTP/1.1 431 ")


@pytest.mark.parametrize("path", ["/webhooks/twilio/inbound", "/webhooks/twilio/a"])
async def test_a_body_has_an_end(site: Site, path: str) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(10):
            yield b"a" * 10_000

    for body in (b"a" * 70_000, chunks()):
        answer = await site.client.post(path, content=body)
        assert answer.status_code == 413
        assert answer.text == "The body of this request is too large.\n"


async def test_a_body_that_is_declared_too_large_is_not_waited_for(site: Site) -> None:
    head = (
        b"POST /webhooks/twilio/a HTTP/1.1\r\nContent-Length: 99999\r\nConnection: close\r\n\r\n"
    )
    assert (await exchanged(site.address, head)).startswith(b"HTTP/1.1 413 ")


async def test_a_body_that_nobody_reads_has_an_end_too(site: Site) -> None:
    token = site.token(Purpose.FULFILMENT, "1")
    head = f"POST /webhooks/fulfillment/{token} HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
    chunk = b"10000\r\n" + b"a" * 0x10000 + b"\r\n"
    answer = await exchanged(site.address, head.encode(), *[chunk] * 100)
    assert answer == b"" or answer.startswith(b"HTTP/1.1 204 ")


@pytest.mark.parametrize(
    "beginning",
    [
        b"",
        b"\r\n\r\n",
        b"POST /webhooks/tw",
        b"POST /webhooks/twilio/inbound HTTP/1.1\r\nHost: x\r\n",
        b"POST /webhooks/twilio/inbound HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\na",
    ],
)
async def test_a_request_that_does_not_come_to_its_end_is_given_up(
    site: Site, monkeypatch: pytest.MonkeyPatch, beginning: bytes
) -> None:
    monkeypatch.setattr(connection, "REQUEST_SECONDS", 0.2)
    answer = await exchanged(site.address, beginning)
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert answer.endswith(b"The request did not arrive in time.\n")


async def test_the_clock_runs_from_what_comes_after_an_answer(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    host, _, port = site.address.rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\nGET /he")
    await reader.readuntil(b"ok\n")
    monkeypatch.setattr(connection, "REQUEST_SECONDS", 0.2)
    writer.write(b"a")
    answer = await asyncio.wait_for(reader.read(), 120)
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert answer.endswith(b"The request did not arrive in time.\n")
    writer.close()


async def test_more_connections_than_there_is_room_for_are_refused(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "MOST_CONNECTIONS", 3)
    host, _, port = site.address.rpartition(":")
    idle = [await asyncio.open_connection(host, int(port)) for _ in range(3)]

    refused = await exchanged(site.address, b"")

    assert refused.startswith(b"HTTP/1.1 503 ")
    assert b"Too many connections" in refused
    for _, writer in idle:
        writer.close()
        await writer.wait_closed()

    async def served() -> bool:
        try:
            return (await site.client.get("/healthz")).status_code == 200
        except httpx.TransportError:
            return False

    await wait_until(served)


async def test_answers_are_not_held_back_by_nagle(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, transports = connection.BoundedHttpProtocol.connection_made, list[asyncio.Transport]()

    def seen(self: connection.BoundedHttpProtocol, transport: asyncio.Transport) -> None:
        transports.append(transport)
        made(self, transport)

    monkeypatch.setattr(connection.BoundedHttpProtocol, "connection_made", seen)
    await site.client.get("/healthz")
    [transport] = transports  # what changes it has had the time to
    line = transport.get_extra_info("socket")
    assert line.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


async def test_a_request_in_hand_is_answered_at_the_end(
    environment: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    prolong(monkeypatch, server, "_PATIENCE", usual=5.0)
    async with open_site() as site:
        host, _, port = site.address.rpartition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        idle, other = await asyncio.open_connection(host, int(port))
        head = b"POST /webhooks/twilio/inbound HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n"
        writer.write(head + b"Expect: 100-continue\r\n\r\n")
        await reader.readuntil(b"100 Continue\r\n\r\n")  # it is being served now

        async def finish() -> bytes:
            assert await idle.read() == b""  # the server hangs up where nothing is to be done
            writer.write(b"a")
            return await reader.read()

        finishing = asyncio.create_task(finish())
    assert b"HTTP/1.1 403 " in await finishing
    for each in (writer, other):
        each.close()
        await each.wait_closed()


async def test_a_port_that_is_taken_is_reported(site: Site) -> None:
    host, _, port = site.address.rpartition(":")
    with pytest.raises(InputError, match=f"Cannot listen on {host} port {port}"):
        async with serving(_quiet, host, int(port)):
            pass


async def test_without_redis_it_says_so_and_goes_on_when_it_is_back(
    line: Line, site: Site
) -> None:
    serial = await site.installation.submitted()
    token = site.token(Purpose.UNSUBSCRIBE, serial)
    await wait_until(lambda: _ready(site))
    line.cut()

    ready = await site.client.get("/readyz")
    page = await site.client.post(f"/unsubscribe/{token}", data={"List-Unsubscribe": "One-Click"})
    metrics = await site.client.get("/metrics")

    assert (ready.status_code, ready.text) == (503, "Redis does not answer within a second.\n")
    assert page.status_code == 503
    assert page.text == "This cannot be taken in at the moment; please send it again later.\n"
    assert "claimcast_redis_up 0.0" in metrics.text
    assert (await site.client.get("/healthz")).text == "ok\n"
    line.mend()
    await wait_until(lambda: _ready(site))


async def _ready(site: Site) -> bool:
    answer = await site.client.get("/readyz")
    return (answer.status_code, answer.text) == (200, "ready\n")


PIECES = st.sampled_from(
    [
        *(b"GET ", b"POST ", b"/healthz", b"/unsubscribe/a", b"/webhooks/twilio/inbound"),
        *(b" HTTP/1.1\r\n", b" HTTP/1.0\r\n", b"Host: x\r\n", b"Content-Length: 3\r\n", b"\r\n"),
        *(
            b"Transfer-Encoding: chunked\r\n",
            b"3\r\nabc\r\n",
            b"0\r\n\r\n",
            b"a=b",
            b"\0",
            b"\xff",
        ),
        *(b"Connection: close\r\n", b"Upgrade: websocket\r\n", b"Connection: upgrade\r\n"),
    ]
)


@settings(max_examples=25, deadline=None)
@given(requests=st.lists(st.lists(PIECES, max_size=12), min_size=5, max_size=5))
def test_no_bytes_bring_it_down(requests: list[list[bytes]]) -> None:
    async def tried() -> None:
        async with (
            serving(_quiet, "127.0.0.1", 0) as address,
            client_of(address) as client,
        ):
            host, _, port = address.rpartition(":")
            for pieces in requests:
                _, writer = await asyncio.open_connection(host, int(port))
                writer.write(b"".join(pieces))
                writer.close()
            assert (await client.get("/healthz")).status_code == 200

    asyncio.run(tried())


async def _quiet(scope: Scope, receive: Receive, send: Send) -> None:
    await PlainTextResponse("ok\n")(scope, receive, send)
