"""
The ceiling: mail that nobody made, sent over connections that were open before the clock started.

`python -m bench.measures.ceiling PORT MAILS CONNECTIONS aiosmtplib|sockets` prints seconds and CPU
seconds as JSON. `sockets` speaks SMTP itself, pipelined: what the sink can take, so as to show
that the sink is not what limits the others.
"""

import asyncio
import json
import sys
import time
from typing import cast

import uvloop
from aiosmtplib import SMTP

from bench.measures.plain_mail import SENDER, plain_mail

_ENVELOPE = f"MAIL FROM:<{SENDER}>\r\nRCPT TO:<{{to}}>\r\nDATA\r\n"


async def with_aiosmtplib(port: int, mails: int, connections: int) -> tuple[float, float]:
    """Return the wall and CPU seconds that it took aiosmtplib; the message is made once."""
    message = plain_mail("person-1@example.com", "Person 1", "https://claim.example/1", 12)
    content = message.as_bytes().replace(b"\n", b"\r\n")
    clients = [SMTP(hostname="127.0.0.1", port=port, start_tls=False) for _ in range(connections)]
    await asyncio.gather(*(client.connect() for client in clients))
    numbers = iter(range(mails))

    async def send(client: SMTP) -> None:
        for n in numbers:
            await client.sendmail(SENDER, f"person-{n}@example.com", content)

    wall, cpu = time.perf_counter(), time.process_time()
    await asyncio.gather(*(send(client) for client in clients))
    spent = time.perf_counter() - wall, time.process_time() - cpu
    await asyncio.gather(*(client.quit() for client in clients))
    return spent


class PipeliningClient(asyncio.Protocol):
    """One connection, one round trip per mail: each content goes out with the next envelope."""

    def __init__(self, mails: int, content: bytes) -> None:
        self._left = mails
        self._waiting = b""
        self._envelope = _ENVELOPE.format(to="person-1@example.com").encode()
        self._content = content + b"\r\n.\r\n"
        self.greeted: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # Not isinstance: uvloop's transports are no subclass of asyncio's.
        self._transport = cast("asyncio.Transport", transport)

    def connection_lost(self, _: Exception | None) -> None:
        for future in (self.greeted, self.done):
            if not future.done():
                future.set_exception(ConnectionResetError("the sink hung up"))

    def start(self) -> None:
        self._transport.write(self._envelope)

    def data_received(self, data: bytes) -> None:
        *lines, self._waiting = (self._waiting + data).split(b"\r\n")
        for line in lines:
            self._line(line[:4])

    def _line(self, code: bytes) -> None:
        if code == b"220 ":
            self._transport.write(b"EHLO bench\r\n")
        elif code == b"250 " and not self.greeted.done():
            self.greeted.set_result(None)
        elif code == b"354 ":
            self._left -= 1
            self._transport.write(self._content + (self._envelope if self._left else b"QUIT\r\n"))
        elif code == b"221 ":
            self.done.set_result(None)
            self._transport.close()
        elif code != b"250 " and code[3:] != b"-":
            self.done.set_exception(ConnectionError("the sink refused a mail"))


async def with_sockets(port: int, mails: int, connections: int) -> tuple[float, float]:
    """Return the wall and CPU seconds that it took bare, pipelining connections."""
    message = plain_mail("person-1@example.com", "Person 1", "https://claim.example/1", 12)
    content = message.as_bytes().replace(b"\n", b"\r\n")
    loop = asyncio.get_running_loop()
    clients = [
        (
            await loop.create_connection(
                lambda: PipeliningClient(mails // connections, content), "127.0.0.1", port
            )
        )[1]
        for _ in range(connections)
    ]
    await asyncio.gather(*(client.greeted for client in clients))
    wall, cpu = time.perf_counter(), time.process_time()
    for client in clients:
        client.start()
    await asyncio.gather(*(client.done for client in clients))
    return time.perf_counter() - wall, time.process_time() - cpu


if __name__ == "__main__":
    how = {"aiosmtplib": with_aiosmtplib, "sockets": with_sockets}[sys.argv[4]]
    seconds, cpu_seconds = uvloop.run(how(int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])))
    json.dump({"seconds": seconds, "cpu": cpu_seconds}, sys.stdout)
