"""STARTTLS, TLS and AUTH against aiosmtpd, on both event loops that people run."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

import pytest
import trustme
import uvloop
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from channels.email import EmailChannel, SmtpServer
from pipeline.domain.errors import BlockedError, InputError
from pipeline.domain.models import DeliveryKey, Message
from tests.channels.email.servers import always, mail_server, once

MESSAGE = Message(
    key=DeliveryKey("k"), to="ada@example.com", content=b"Subject: x\r\n\r\nhi there\r\n"
)
PASSWORD = "pässword"

Runner = Callable[[Coroutine[Any, Any, None]], None]

both_loops = pytest.mark.parametrize("run", [asyncio.run, uvloop.run], ids=["asyncio", "uvloop"])


class Inbox:
    def __init__(self) -> None:
        self.mails: list[bytes] = []
        self.encrypted: list[bool] = []
        self.logins = 0

    async def handle_DATA(  # noqa: N802 - aiosmtpd's name
        self, server: SMTP, session: Session, envelope: Envelope
    ) -> str:
        self.mails.append(cast("bytes", envelope.content))
        transport = cast("asyncio.Transport", server.transport)
        self.encrypted.append(transport.get_extra_info("sslcontext") is not None)
        return "250 OK"

    def authenticate(self, server: SMTP, session: Session, *rest: Any) -> AuthResult:  # noqa: ANN401 - aiosmtpd's signature
        self.logins += 1
        data = rest[-1]
        right = isinstance(data, LoginPassword) and data.password == PASSWORD.encode()
        return AuthResult(success=right, handled=False)


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def ca_file(authority: trustme.CA, tmp_path: Path) -> str:
    path = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(path)
    return str(path)


@pytest.fixture
def certificate(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    return context


@asynccontextmanager
async def serving(
    inbox: Inbox, *, starttls: ssl.SSLContext | None = None, tls: ssl.SSLContext | None = None
) -> AsyncIterator[int]:
    def session() -> SMTP:
        return SMTP(
            inbox,
            hostname="mail.example",
            tls_context=starttls,
            require_starttls=starttls is not None,
            auth_require_tls=tls is None,
            authenticator=inbox.authenticate,
        )

    loop = asyncio.get_running_loop()
    server = await loop.create_server(session, "127.0.0.1", 0, ssl=tls)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        await server.wait_closed()


def settings(port: int, **changes: Any) -> SmtpServer:  # noqa: ANN401 - a test's keywords
    return SmtpServer(
        **{"host": "127.0.0.1", "port": port, "sender": "rewards@example.com", **changes}
    )


async def send(server: SmtpServer) -> None:
    channel = EmailChannel(server)
    try:
        await channel.send(MESSAGE, lambda: None)
    finally:
        await channel.aclose()


@both_loops
@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_mail_goes_out_encrypted_and_logged_in(
    run: Runner, security: str, ca_file: str, certificate: ssl.SSLContext
) -> None:
    inbox = Inbox()

    async def harness() -> None:
        async with serving(inbox, **{security: certificate}) as port:
            login = {"username": "ada", "password": PASSWORD}
            await send(settings(port, security=security, ca_file=ca_file, **login))

    run(harness())

    assert inbox.mails == [MESSAGE.content]
    assert inbox.encrypted == [True]
    assert inbox.logins == 1


@both_loops
@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_certificate_that_nobody_vouches_for_stops_the_channel(
    run: Runner, security: str, certificate: ssl.SSLContext
) -> None:
    inbox = Inbox()

    async def harness() -> None:
        async with serving(inbox, **{security: certificate}) as port:
            with pytest.raises(BlockedError, match=r"^smtp_certificate: ") as caught:
                await send(settings(port, security=security))
            assert caught.value.fatal

    run(harness())

    assert inbox.mails == []


@both_loops
def test_certificate_of_another_host_stops_the_channel(
    run: Runner, authority: trustme.CA, ca_file: str
) -> None:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("other.example").configure_cert(context)

    async def harness() -> None:
        async with serving(Inbox(), tls=context) as port:
            with pytest.raises(BlockedError, match=r"^smtp_certificate: "):
                await send(settings(port, security="tls", ca_file=ca_file))

    run(harness())


async def test_verification_can_be_turned_off(certificate: ssl.SSLContext) -> None:
    inbox = Inbox()
    async with serving(inbox, starttls=certificate) as port:
        await send(settings(port, verify=False))

    assert inbox.encrypted == [True]


async def test_server_without_starttls_gets_nothing_in_clear() -> None:
    async with mail_server() as server:
        with pytest.raises(BlockedError, match=r"^smtp_no_starttls") as caught:
            await send(server.settings(security="starttls", username="ada", password="x"))

    assert caught.value.fatal
    assert server.verbs() == ["EHLO"]


@both_loops
def test_handshake_that_fails_blames_the_provider(run: Runner) -> None:
    async def harness() -> None:
        async with mail_server() as server:
            with pytest.raises(BlockedError) as caught:
                await send(server.settings(security="tls", connect_timeout=60))
            assert caught.value.code in {"smtp_tls", "smtp_connect"}
            assert not caught.value.fatal

    run(harness())


async def test_wrong_password_stops_the_channel_after_one_try(
    ca_file: str, certificate: ssl.SSLContext
) -> None:
    inbox = Inbox()
    async with serving(inbox, starttls=certificate) as port:
        channel = EmailChannel(settings(port, ca_file=ca_file, username="ada", password="wrong-1"))
        sends = [channel.send(MESSAGE, lambda: None) for _ in range(10)]
        errors = await asyncio.gather(*sends, return_exceptions=True)
        await channel.aclose()

    assert all(isinstance(error, BlockedError) and error.fatal for error in errors)
    assert {str(error) for error in errors} == {
        "smtp_535_5.7.8: auth: 5.7.8 Authentication credentials invalid"
    }
    assert inbox.logins == 1
    assert inbox.mails == []


async def test_next_mechanism_is_tried_only_if_the_server_lacks_the_first() -> None:
    def script(verb: str, line: str) -> str | None:
        mechanisms = {"LOGIN": "504 5.5.4 no such mechanism", "PLAIN": "235 2.7.0 welcome"}
        if verb == "AUTH":
            return mechanisms[line.split()[1]]
        return "250-here\r\n250 AUTH PLAIN LOGIN" if verb == "EHLO" else None

    async with mail_server(script) as server:
        await send(server.settings(username="ada", password="secret"))

    # Without encryption the one that keeps the password to itself would come first.
    assert [line.split()[1] for line in server.commands if "AUTH" in line] == ["LOGIN", "PLAIN"]
    assert len(server.mails) == 1


async def test_server_that_offers_no_login_stops_the_channel() -> None:
    async with mail_server() as server:
        with pytest.raises(BlockedError, match=r"^smtp_no_auth") as caught:
            await send(server.settings(username="ada", password="secret"))

    assert caught.value.fatal
    assert server.verbs() == ["EHLO"]


async def test_temporary_login_failure_does_not_stop_the_channel() -> None:
    hello, later = always("EHLO", "250-here\r\n250 AUTH PLAIN"), once("AUTH", "454 4.7.0 later")
    async with mail_server(lambda *asked: hello(*asked) or later(*asked)) as server:
        with pytest.raises(BlockedError, match=r"^smtp_454_4\.7\.0") as caught:
            await send(server.settings(username="ada", password="secret"))

    assert not caught.value.fatal


async def test_check_says_what_was_found_and_sends_nothing(
    ca_file: str, certificate: ssl.SSLContext
) -> None:
    inbox = Inbox()
    async with serving(inbox, starttls=certificate) as port:
        server = settings(port, ca_file=ca_file, username="ada", password=PASSWORD)
        channel = EmailChannel(server)

        found = await channel.check()
        await channel.aclose()

    assert found == (
        f"127.0.0.1:{port} takes mail over starttls, logged in, for addresses in ASCII only."
    )
    assert inbox.mails == []


def test_password_is_never_shown() -> None:
    server = settings(25, username="ada", password=PASSWORD)

    assert PASSWORD not in repr(server)
    assert PASSWORD not in str(server)


@pytest.mark.parametrize("text", [None, "not a certificate"])
def test_unusable_ca_file_is_named(text: str | None, tmp_path: Path) -> None:
    path = tmp_path / "ca.pem"
    if text is not None:
        path.write_text(text)

    with pytest.raises(InputError, match=f"^the CA file {path} cannot be used: "):
        EmailChannel(settings(25, ca_file=str(path)))


def test_unusable_sender_is_refused_at_once() -> None:
    with pytest.raises(InputError, match=r"^the sender of e-mail must be an e-mail address"):
        EmailChannel(settings(25, sender="nobody"))
