"""The mail sink, as aiosmtplib and mail readers see it."""

import asyncio
import mailbox
import ssl
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import aiosmtplib
import pytest
import trustme

from sandbox.faults import MailFaults
from sandbox.options import MailOptions, SandboxOptions
from sandbox.server import running
from tests.sandbox.driving import Customer, StartSandbox

LINK = "https://claim.sandbox.example/aaaaaaaaaaaaaaaaaaaa-_"


def a_mail(to: str, number: int = 1) -> EmailMessage:
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = "rewards@example.com", to, "Für Zoë 礼物"
    mail["Message-ID"] = f"<{number}@example.com>"
    mail.set_content(f"Hallo Zoë 礼物, {LINK}.\r\n.\r\nBye", cte="base64")
    page = f'<p>礼物 <a href="{LINK}">x</a> <a href="https://x.example/?a&amp;b">'
    mail.add_alternative(page, subtype="html")
    return mail


@asynccontextmanager
async def logged_in(customer: Customer, **options: object) -> AsyncIterator[aiosmtplib.SMTP]:
    given: dict[str, Any] = {"start_tls": False, "use_tls": False, "timeout": 60} | options
    port = customer.sandbox.smtp_port
    client = aiosmtplib.SMTP(hostname="localhost", port=port, **given)
    await client.connect()
    try:
        yield client
    finally:
        client.close()


async def deliver(customer: Customer, to: str) -> int:
    """Send one mail on a connection of its own; returns the code, 0 for a lost connection."""
    async with logged_in(customer) as client:
        try:
            await client.sendmail("rewards@example.com", [to], a_mail(to).as_bytes())
        except aiosmtplib.SMTPRecipientsRefused as refused:
            return refused.recipients[0].code
        except aiosmtplib.SMTPResponseException as refused:
            return refused.code
        except aiosmtplib.SMTPServerDisconnected:
            return 0
    return 250


async def test_mail_is_indexed_with_the_links_of_its_decoded_text(start: StartSandbox) -> None:
    customer = await start()

    began = time.time()
    assert await deliver(customer, "zoe@example.com") == 250

    [mail] = await customer.control("mails")
    assert (mail["to"], mail["sender"]) == ("zoe@example.com", "rewards@example.com")
    assert mail["message_id"] == "<1@example.com>"
    assert mail["links"] == [LINK, "https://x.example/?a&b"]
    assert began <= mail["received_at"] <= time.time()


async def test_mail_reader_opens_the_maildir(start: StartSandbox) -> None:
    customer = await start()

    await deliver(customer, "zoe@example.com")

    assert customer.sandbox.maildir is not None
    box = mailbox.Maildir(customer.sandbox.maildir, create=False)
    [mail] = list(box)
    assert mail["Delivered-To"] == "zoe@example.com"
    text = next(part for part in mail.walk() if part.get_content_type() == "text/plain")
    payload = text.get_payload(decode=True)
    assert isinstance(payload, bytes)
    assert payload.decode().splitlines() == [f"Hallo Zoë 礼物, {LINK}.", ".", "Bye"]


async def test_index_only_sink_writes_no_messages(start: StartSandbox, tmp_path: Path) -> None:
    customer = await start(directory=tmp_path, mail=MailOptions(keep="index"))

    await deliver(customer, "zoe@example.com")

    assert len(await customer.control("mails")) == 1
    assert customer.sandbox.maildir is None
    assert not (tmp_path / "Maildir").exists()


async def test_mails_are_listed_from_where_one_stopped_reading(start: StartSandbox) -> None:
    customer = await start()
    for name in ("a", "b", "c"):
        await deliver(customer, f"{name}@example.com")

    first = await customer.control("mails?limit=2")
    rest = await customer.control(f"mails?since={first[-1]['seq']}")

    assert [mail["to"][0] for mail in first + rest] == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("recipient", "codes", "stored"),
    [
        ("bounce-1@example.com", [550, 550], 0),
        ("full-1@example.com", [452, 452], 0),
        ("grey-1@example.com", [450, 250], 1),
        ("lost-1@example.com", [0, 250], 2),
        ("someone@example.com", [250, 250], 2),
    ],
)
async def test_magic_recipients_behave_as_they_are_called(
    start: StartSandbox, recipient: str, codes: list[int], stored: int
) -> None:
    customer = await start()

    assert [await deliver(customer, recipient) for _ in codes] == codes
    assert customer.sandbox.mails.count() == stored


@pytest.mark.parametrize(
    ("fault", "code", "stored"),
    [
        ("rcpt_550", 550, 0),
        ("rcpt_450", 450, 0),
        ("rcpt_greylist", 450, 0),
        ("rcpt_421", 421, 0),
        ("data_451", 451, 0),
        ("data_policy", 550, 0),
        ("drop_after_store", 0, 1),
        ("drop_before_store", 0, 0),
    ],
)
async def test_each_fault_answers_and_stores_as_it_says(
    start: StartSandbox, fault: str, code: int, stored: int
) -> None:
    customer = await start()
    await customer.control("smtp-faults", {fault: 1}, "POST")

    assert await deliver(customer, "zoe@example.com") == code
    assert customer.sandbox.mails.count() == stored


async def test_greylisting_concerns_the_first_attempt_only(start: StartSandbox) -> None:
    customer = await start(mail=MailOptions(faults=MailFaults(rcpt_greylist=1)))

    codes = [await deliver(customer, "zoe@example.com") for _ in range(3)]

    assert codes == [450, 250, 250]


async def test_connection_is_closed_after_421(start: StartSandbox) -> None:
    customer = await start(mail=MailOptions(faults=MailFaults(rcpt_421=1)))
    reader, writer = await asyncio.open_connection("127.0.0.1", customer.sandbox.smtp_port)
    writer.write(b"EHLO me\r\nMAIL FROM:<a@example.com>\r\nRCPT TO:<b@example.com>\r\n")

    assert b"421 4.3.2" in await reader.read()

    writer.close()
    await writer.wait_closed()


async def test_connection_is_refused(start: StartSandbox) -> None:
    customer = await start(mail=MailOptions(faults=MailFaults(refuse=1)))

    with pytest.raises((aiosmtplib.SMTPException, OSError)):
        await deliver(customer, "zoe@example.com")


async def test_slow_reply_outlasts_a_client(start: StartSandbox) -> None:
    customer = await start(mail=MailOptions(faults=MailFaults(slow=1, slow_seconds=3600)))

    async with logged_in(customer) as client:
        with pytest.raises(aiosmtplib.SMTPTimeoutError):
            await client.send_message(a_mail("zoe@example.com"), timeout=0.3)


async def test_same_seed_refuses_the_same_recipients(start: StartSandbox, tmp_path: Path) -> None:
    people = [f"p{number}@example.com" for number in range(16)]
    mail = MailOptions(faults=MailFaults(rcpt_550=0.4, data_451=0.4))

    async def codes(name: str, order: list[str], seed: int) -> dict[str, int]:
        customer = await start(directory=tmp_path / name, seed=seed, mail=mail)
        return {to: await deliver(customer, to) for to in order}

    first = await codes("a", people, 7)

    assert set(first.values()) == {250, 451, 550}
    assert await codes("b", people[::-1], 7) == first
    assert await codes("c", people, 8) != first


@pytest.mark.parametrize("security", ["none", "starttls", "tls"])
async def test_login_and_tls(start: StartSandbox, tmp_path: Path, security: str) -> None:
    options, context = _secured(tmp_path, security)
    customer = await start(mail=options)
    tls = {
        "start_tls": security == "starttls",
        "use_tls": security == "tls",
        "tls_context": context if security != "none" else None,
    }

    async with logged_in(customer, **tls) as client:
        with pytest.raises(aiosmtplib.SMTPSenderRefused) as refused:
            await client.send_message(a_mail("zoe@example.com"))
        with pytest.raises(aiosmtplib.SMTPAuthenticationError):
            await client.login("user", "wrong")
    async with logged_in(customer, username="user", password="right", **tls) as client:
        await client.send_message(a_mail("zoe@example.com"))
        lost = a_mail("lost-1@example.com")
        with pytest.raises(aiosmtplib.SMTPServerDisconnected):
            await client.send_message(lost)

    assert refused.value.code == 530
    assert customer.sandbox.mails.count() == 2


async def test_starttls_is_demanded(start: StartSandbox, tmp_path: Path) -> None:
    options, _ = _secured(tmp_path, "starttls")
    customer = await start(mail=replace(options, user=None))

    async with logged_in(customer) as client:
        with pytest.raises(aiosmtplib.SMTPResponseException) as refused:
            await client.mail("rewards@example.com")

    assert refused.value.code == 530
    assert "STARTTLS" in refused.value.message


async def test_login_is_not_offered_when_none_is_wanted(start: StartSandbox) -> None:
    customer = await start()

    async with logged_in(customer) as client:
        await client.ehlo()
        assert not client.supports_extension("auth")
        assert client.supports_extension("smtputf8")


async def test_end_of_the_sandbox_cuts_every_connection(tmp_path: Path) -> None:
    slow = MailOptions(faults=MailFaults(slow=1, slow_seconds=60))
    async with running(SandboxOptions(directory=tmp_path, mail=slow)) as sandbox:
        idle = await asyncio.open_connection("127.0.0.1", sandbox.smtp_port)
        busy = await asyncio.open_connection("127.0.0.1", sandbox.smtp_port)
        busy[1].write(b"EHLO me\r\nMAIL FROM:<a@x.example>\r\nRCPT TO:<b@x.example>\r\nDATA\r\n")
        await busy[0].readuntil(b"354")
        busy[1].write(b"Subject: x\r\n\r\nx\r\n.\r\n")

    for reader, writer in (idle, busy):
        with suppress(ConnectionError):
            await asyncio.wait_for(reader.read(), 60)
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()


def _secured(tmp_path: Path, security: str) -> tuple[MailOptions, ssl.SSLContext]:
    authority = trustme.CA()
    certificate = tmp_path / "certificate.pem"
    authority.issue_cert("localhost", "127.0.0.1").private_key_and_cert_chain_pem.write_to_path(
        certificate
    )
    context = ssl.create_default_context()
    authority.configure_trust(context)
    options = MailOptions(
        security=security,  # type: ignore[arg-type]  # parametrised with its values
        certificate=certificate if security != "none" else None,
        user="user",
        password="right",
    )
    return options, context
