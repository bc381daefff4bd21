"""The mail sink: an SMTP server that takes everything, except what it is told to refuse."""

import asyncio
import hmac
from collections import Counter
from typing import cast

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from sandbox.faults import Chaos, MailFaults
from sandbox.mail.bounces import Bounces
from sandbox.mail.store import MailStore
from sandbox.options import MailOptions

_NO_MAILBOX = "550 5.1.1 There is no such mailbox"
_GREYLISTED = "450 4.7.1 Greylisted, please come back later"
_LOST = "lost-"
_DSN, _DSN_DELAYED = "dsn-", "dsn-delayed-"
_SPECIAL = ("bounce-", "full-", "grey-", _LOST)
_NO_FAULTS = MailFaults()


class MailSink:
    """
    The handler of every SMTP session (aiosmtpd calls its `handle_` methods).

    Whatever the faults, a local part that starts with `bounce-` does not exist, `full-` is always
    full, `grey-` is greylisted at its first attempt, and at the first attempt of `lost-` the
    message is stored but the connection drops instead of an answer. What `dsn-` is sent is stored,
    and its sender is notified later that it failed; with `dsn-delayed-`, that it is delayed.
    Attempts are counted from the start of the sink.
    """

    def __init__(
        self,
        store: MailStore,
        bounces: Bounces,
        chaos: Chaos[MailFaults],
        options: MailOptions,
    ) -> None:
        self._store = store
        self._bounces = bounces
        self._chaos = chaos
        self._options = options
        self._attempts: Counter[str] = Counter()

    def authenticate(
        self, _server: SMTP, _session: Session, _envelope: Envelope, _mechanism: str, data: object
    ) -> AuthResult:
        wanted = (self._options.user or "", self._options.password)
        login = data if isinstance(data, LoginPassword) else LoginPassword(b"", b"")
        matches = hmac.compare_digest("\0".join(wanted).encode(), b"\0".join(login))
        return AuthResult(success=matches and bool(self._options.user), handled=False)

    async def handle_EHLO(  # noqa: N802 - aiosmtpd's name
        self,
        _server: SMTP,
        session: Session,
        _envelope: Envelope,
        hostname: str,
        responses: list[str],
    ) -> list[str]:
        session.host_name = hostname
        if self._options.user:
            return responses
        return [line for line in responses if not line.startswith("250-AUTH")]

    async def handle_MAIL(  # noqa: N802 - aiosmtpd's name
        self,
        _server: SMTP,
        session: Session,
        envelope: Envelope,
        address: str,
        mail_options: list[str],
    ) -> str:
        if self._options.user and not session.authenticated:
            return "530 5.7.0 Authentication required"
        envelope.mail_from = address
        envelope.mail_options.extend(mail_options)
        return "250 2.1.0 OK"

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self,
        server: SMTP,
        _session: Session,
        envelope: Envelope,
        address: str,
        rcpt_options: list[str],
    ) -> str:
        attempt = self._count(address)
        if self._chaos.hits("rcpt_421", f"{address}:{attempt}"):
            await _say_goodbye(server)
        refusal = _refusal_by_name(address, attempt) or self._refusal_by_chance(address, attempt)
        if refusal:
            return refusal
        envelope.rcpt_tos.append(address)
        envelope.rcpt_options.extend(rcpt_options)
        return "250 2.1.5 OK"

    async def handle_DATA(  # noqa: N802 - aiosmtpd's name
        self, server: SMTP, _session: Session, envelope: Envelope
    ) -> str:
        address = envelope.rcpt_tos[0]
        attempt = self._attempts[address]
        key = f"{address}:{attempt}"
        refusal = await self._before_store(server, key)
        if refusal:
            return refusal
        content = envelope.original_content or b""
        self._store.add(envelope.mail_from or "", envelope.rcpt_tos, content)
        self._bounce(envelope.mail_from or "", address, content, key)
        lost = address.startswith(_LOST) and attempt == 1
        if lost or self._chaos.hits("drop_after_store", key):
            await _hang_up(server)
        return "250 2.0.0 OK, stored"

    async def _before_store(self, server: SMTP, key: str) -> str | None:
        if self._chaos.hits("slow", key):
            await asyncio.sleep(self._chaos.faults.slow_seconds)
        if self._chaos.hits("drop_before_store", key):
            await _hang_up(server)
        if self._chaos.hits("data_451", key):
            return "451 4.3.0 Try again later"
        if self._chaos.hits("data_policy", key):
            return "550 5.7.1 Message refused by policy"
        return None

    def _bounce(self, sender: str, address: str, content: bytes, key: str) -> None:
        if address.startswith(_DSN_DELAYED):
            self._bounces.enqueue(sender, address, content, "delayed")
        elif address.startswith(_DSN) or self._chaos.hits("dsn", key):
            self._bounces.enqueue(sender, address, content, "failed")

    def _count(self, address: str) -> int:
        # A million addresses need not be remembered while nothing depends on it.
        if not address.startswith(_SPECIAL) and self._chaos.faults == _NO_FAULTS:
            return 1
        self._attempts[address] += 1
        return self._attempts[address]

    def _refusal_by_chance(self, address: str, attempt: int) -> str | None:
        key = f"{address}:{attempt}"
        if attempt == 1 and self._chaos.hits("rcpt_greylist", address):
            return _GREYLISTED
        if self._chaos.hits("rcpt_550", key):
            return _NO_MAILBOX
        if self._chaos.hits("rcpt_450", key):
            return "450 4.2.2 The mailbox is full"
        return None


def _refusal_by_name(address: str, attempt: int) -> str | None:
    if address.startswith("bounce-"):
        return _NO_MAILBOX
    if address.startswith("full-"):
        return "452 4.2.2 The mailbox is full"
    if address.startswith("grey-") and attempt == 1:
        return _GREYLISTED
    return None


async def _say_goodbye(server: SMTP) -> None:
    """Answer 421 and close; does not return, as losing the connection cancels the caller."""
    await server.push("421 4.3.2 The service is shutting down")
    if server.transport is not None:
        server.transport.close()
    await asyncio.get_running_loop().create_future()


async def _hang_up(server: SMTP) -> None:
    """Drop the connection without an answer; does not return, like `_say_goodbye`."""
    if server.transport is not None:
        # uvloop's transports are no subclass of asyncio's.
        cast("asyncio.Transport", server.transport).abort()
    await asyncio.get_running_loop().create_future()
