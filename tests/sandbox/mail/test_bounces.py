"""Mail that was accepted and comes back as a delivery status notification."""

import email
import email.policy
from collections.abc import AsyncIterator
from email.message import EmailMessage, Message

import aiosmtplib
import pytest

from sandbox.faults import MailFaults
from sandbox.options import MailOptions
from tests.sandbox.driving import Customer, StartSandbox
from tests.sandbox.receiving import Receiver, receiving
from tests.support.waiting import wait_until

VERP = "bounces+abc123@example.com"
LINK = "https://claim.sandbox.example/aaaaaaaaaaaaaaaaaaaa-_"


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as receiver:
        yield receiver


async def deliver(customer: Customer, to: str, sender: str = VERP) -> None:
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = "rewards@example.com", to, "Für Zoë"
    mail["Message-ID"] = "<1@example.com>"
    mail.set_content(f"Your reward: {LINK}")
    async with aiosmtplib.SMTP(
        hostname="localhost", port=customer.sandbox.smtp_port, start_tls=False, timeout=60
    ) as client:
        await client.sendmail(sender, [to], mail.as_bytes(policy=email.policy.SMTP))


def report_of(message: Message) -> Message:
    """Return the fields about the recipient."""
    parts = message.get_payload()
    assert isinstance(parts, list)
    part = parts[1]
    assert isinstance(part, Message)
    fields = part.get_payload()
    assert isinstance(fields, list)
    found = fields[1]
    assert isinstance(found, Message)
    return found


async def test_mail_to_dsn_is_accepted_and_its_sender_is_reported_later(
    start: StartSandbox, receiver: Receiver
) -> None:
    options = MailOptions(bounce_url=f"{receiver.url}/webhooks/bounces/t", bounce_delay=0.01)
    customer = await start(mail=options)

    await deliver(customer, "dsn-1@example.com")
    await wait_until(lambda: receiver.posts)

    [post] = receiver.posts
    assert customer.sandbox.mails.count() == 1
    assert post.url == options.bounce_url
    assert post.headers["content-type"] == "message/rfc822"
    message = email.message_from_bytes(post.body)
    assert message["To"] == VERP
    assert message.get_content_type() == "multipart/report"
    assert message.get_param("report-type") == "delivery-status"
    report = report_of(message)
    assert report["Action"] == "failed"
    assert report["Status"] == "5.1.1"
    assert report["Final-Recipient"] == "rfc822; dsn-1@example.com"
    assert b"Message-ID: <1@example.com>" in post.body
    assert LINK.encode() not in post.body


async def test_delayed_mail_is_reported_as_such(start: StartSandbox) -> None:
    customer = await start(mail=MailOptions(bounce_delay=0))

    await deliver(customer, "dsn-delayed-1@example.com")

    [bounce] = await customer.control("bounces")
    assert bounce["action"] == "delayed"
    assert report_of(email.message_from_string(bounce["message"]))["Status"].startswith("4.")


async def test_bounces_are_kept_without_an_address_to_post_to(start: StartSandbox) -> None:
    customer = await start(mail=MailOptions(bounce_delay=0))
    for number in (1, 2):
        await deliver(customer, f"dsn-{number}@example.com")

    first, second = await customer.control("bounces")

    assert (first["to"], first["recipient"]) == (VERP, "dsn-1@example.com")
    assert await customer.control(f"bounces?since={first['seq']}") == [second]


async def test_bounce_is_not_there_before_its_time(start: StartSandbox) -> None:
    customer = await start(mail=MailOptions(bounce_delay=3600))

    await deliver(customer, "dsn-1@example.com")

    assert await customer.control("bounces") == []


async def test_mail_without_a_sender_never_bounces(start: StartSandbox) -> None:
    customer = await start(mail=MailOptions(bounce_delay=0))

    await deliver(customer, "dsn-1@example.com", sender="")

    assert customer.sandbox.mails.count() == 1
    assert await customer.control("bounces") == []


async def test_share_of_mail_bounces(start: StartSandbox) -> None:
    mail = MailOptions(bounce_delay=0, faults=MailFaults(dsn=0.5))
    customer = await start(mail=mail)
    for number in range(16):
        await deliver(customer, f"p{number}@example.com")

    bounced = {bounce["recipient"] for bounce in await customer.control("bounces")}

    assert customer.sandbox.mails.count() == 16
    assert 0 < len(bounced) < 16
