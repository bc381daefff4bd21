"""A mail server that says what a test wants, and counts what it was told."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from channels.email import SmtpServer

HANG_UP = "hang up"
SILENCE = "silence"

EHLO = "250-here\r\n250 8BITMIME"
EHLO_PIPELINING = "250-here\r\n250-PIPELINING\r\n250 8BITMIME"
OK = {"DATA": "354 go ahead", "QUIT": "221 bye", "EHLO": EHLO}

Script = Callable[[str, str], str | None]
"""Gets a verb (CONTENT for the message) and the whole line; None is the ordinary answer."""


@dataclass
class MailServer:
    """Follows `script`; `mails` are what it has acknowledged or was told to lose."""

    script: Script = lambda verb, line: None
    port: int = 0
    sessions: int = 0
    commands: list[str] = field(default_factory=list)
    mails: list[bytes] = field(default_factory=list)
    closed: asyncio.Event = field(default_factory=asyncio.Event)
    """Set whenever a client's line has ended."""
    writers: set[asyncio.StreamWriter] = field(default_factory=set)
    fragments: list[bytes] = field(default_factory=list)
    """Contents that were broken off."""

    def verbs(self) -> list[str]:
        return [command.split()[0] for command in self.commands]

    def hang_up(self) -> None:
        for writer in self.writers:
            writer.close()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.sessions += 1
        self.writers.add(writer)
        try:
            await self._answer(writer, "CONNECT", "CONNECT")
            await self._converse(reader, writer)
        except asyncio.IncompleteReadError as error:
            self.fragments.append(error.partial)
        except ConnectionError:
            pass
        self.writers.discard(writer)
        writer.close()
        self.closed.set()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := (await reader.readline()).decode():
            verb = line.split()[0].upper()
            self.commands.append(line.strip())
            answer = await self._answer(writer, verb, line.strip())
            if verb == "DATA" and answer.startswith("354"):
                self.mails.append(await _content(reader))
                answer = await self._answer(writer, "CONTENT", "CONTENT")
            if answer == SILENCE:
                await reader.read()  # not a word more, whatever else was sent
            if verb == "QUIT":
                return

    async def _answer(self, writer: asyncio.StreamWriter, verb: str, line: str) -> str:
        ordinary = "220 hello" if verb == "CONNECT" else OK.get(verb, "250 2.0.0 ok")
        answer = self.script(verb, line) or ordinary
        if answer == HANG_UP:
            writer.close()
            raise ConnectionAbortedError
        if answer != SILENCE:
            writer.write(answer.encode() + b"\r\n")
            await writer.drain()
        return answer

    def settings(self, **changes: object) -> SmtpServer:
        values: dict[str, object] = {
            "host": "127.0.0.1",
            "port": self.port,
            "security": "none",
            "sender": "Rewards <rewards@example.com>",
            "connect_timeout": 60.0,
            "idle_timeout": 600.0,
            **changes,
        }
        return SmtpServer(**values)  # type: ignore[arg-type]  # a test's keywords


@asynccontextmanager
async def mail_server(
    script: Script = lambda verb, line: None, tls: ssl.SSLContext | None = None
) -> AsyncIterator[MailServer]:
    """Serve on a free port of the loopback until the block ends."""
    double = MailServer(script)
    server = await asyncio.start_server(double.serve, "127.0.0.1", 0, ssl=tls)
    double.port = server.sockets[0].getsockname()[1]
    try:
        yield double
    finally:
        server.close()
        double.hang_up()
        await server.wait_closed()


async def _content(reader: asyncio.StreamReader) -> bytes:
    """Return a message with its end; one without a single line is its end alone."""
    content = b""
    while not content.endswith(b"\r\n.\r\n") and content != b".\r\n":
        line = await reader.readline()
        if not line.endswith(b"\n"):
            raise asyncio.IncompleteReadError(content + line, None)
        content += line
    return content


def once(verb: str, answer: str) -> Script:
    """Return a script that gives *answer* to the first *verb*, the ordinary one to all else."""
    return always(verb, answer, times=1)


def always(verb: str, answer: str, *, times: int = 1_000_000) -> Script:
    left = [times]

    def script(asked: str, _: str) -> str | None:
        if asked != verb or not left[0]:
            return None
        left[0] -= 1
        return answer

    return script
