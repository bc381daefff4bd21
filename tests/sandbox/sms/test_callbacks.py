"""What the sandbox posts to its customers: status callbacks and messages from people."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from twilio.request_validator import RequestValidator  # type: ignore[import-untyped] # no py.typed

from sandbox.faults import SmsFaults
from sandbox.options import SandboxOptions, SmsOptions
from sandbox.outgoing import is_loopback
from sandbox.server import running
from tests.sandbox.driving import Customer, StartSandbox
from tests.sandbox.receiving import Received, Receiver, receiving
from tests.sandbox.sms.texting import DEFAULTS, text
from tests.support.waiting import wait_until


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as receiver:
        yield receiver


def quick(**faults: object) -> SmsOptions:
    return SmsOptions(
        sent_after=0.01, delivered_after=0.02, faults=SmsFaults.model_validate(faults)
    )


def is_genuine(post: Received, url: str) -> bool:
    validator = RequestValidator(DEFAULTS.auth_token)
    return bool(validator.validate(url, post.form, post.headers["x-twilio-signature"]))


async def test_callbacks_follow_the_message_and_are_signed(
    start: StartSandbox, receiver: Receiver
) -> None:
    customer = await start(sms=quick())
    url = f"{receiver.url}/webhooks/twilio/abc?x=1%202"

    message = (await text(customer, StatusCallback=url)).json()
    await wait_until(lambda: len(receiver.posts) == 2)

    assert receiver.statuses() == ["sent", "delivered"]
    for post in receiver.posts:
        assert post.url == url
        assert is_genuine(post, url)
        assert not is_genuine(post, url + "0")
        assert post.form["MessageSid"] == message["sid"]
        assert post.form["To"] == message["to"]
        assert "ErrorCode" not in post.form
        assert "Body" not in post.form


async def test_undelivered_message_says_why(start: StartSandbox, receiver: Receiver) -> None:
    customer = await start(sms=quick())

    await text(customer, "+15007771234", StatusCallback=receiver.url)
    await wait_until(lambda: len(receiver.posts) == 2)

    assert receiver.statuses() == ["sent", "undelivered"]
    assert receiver.posts[1].form["ErrorCode"] == "30005"


async def test_callback_may_come_twice(start: StartSandbox, receiver: Receiver) -> None:
    customer = await start(sms=quick(callback_twice=1))

    await text(customer, StatusCallback=receiver.url)
    await wait_until(lambda: len(receiver.posts) == 4)

    assert sorted(receiver.statuses()) == ["delivered", "delivered", "sent", "sent"]


async def test_callbacks_may_come_in_the_wrong_order(
    start: StartSandbox, receiver: Receiver
) -> None:
    customer = await start(sms=quick(callback_reordered=1))

    await text(customer, StatusCallback=receiver.url)
    await wait_until(lambda: len(receiver.posts) == 2)

    assert receiver.statuses() == ["delivered", "sent"]


async def test_callback_may_be_late_or_never_come(start: StartSandbox, receiver: Receiver) -> None:
    customer = await start(sms=quick(callback_late=1, callback_late_seconds=3600))
    await text(customer, "+4915112345671", StatusCallback=receiver.url)
    await customer.control("sms-faults", {"callback_late": 0, "callback_never": 1}, "POST")
    await text(customer, "+4915112345672", StatusCallback=receiver.url)
    await customer.control("sms-faults", {"callback_never": 0}, "POST")
    await text(customer, "+4915112345673", StatusCallback=receiver.url)

    await wait_until(lambda: len(receiver.posts) == 2)

    assert {post.form["To"] for post in receiver.posts} == {"+4915112345673"}


async def test_callback_that_was_due_while_the_sandbox_was_down_comes_later(
    tmp_path: Path, start: StartSandbox, receiver: Receiver
) -> None:
    sms = SmsOptions(sent_after=0.3, delivered_after=0)
    async with (
        running(SandboxOptions(directory=tmp_path, sms=sms)) as sandbox,
        httpx.AsyncClient(base_url=sandbox.base_url, trust_env=False, timeout=60) as http,
    ):
        await text(Customer(sandbox, http), StatusCallback=receiver.url)

    await start(directory=tmp_path)

    await wait_until(lambda: len(receiver.posts) == 2)


async def test_receiver_that_is_gone_stops_nobody_else(
    start: StartSandbox, receiver: Receiver
) -> None:
    customer = await start(sms=quick())

    await text(customer, StatusCallback="http://127.0.0.1:9/nobody")
    await text(customer, StatusCallback=receiver.url)

    await wait_until(lambda: len(receiver.posts) == 2)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://127.0.0.1:8000/x", True),
        ("http://localhost/x", True),
        ("http://[::1]:8000/", True),
        ("https://127.0.0.1/", False),
        ("http://example.com/", False),
        ("http://127.0.0.1.example.com/", False),
        ("http://localhost@example.com/", False),
        ("http://10.0.0.1/", False),
        ("ftp://localhost/", False),
        ("nonsense", False),
        ("", False),
    ],
)
def test_only_this_machine_is_posted_to(url: str, *, expected: bool) -> None:
    assert is_loopback(url) is expected


async def test_message_of_a_person_is_posted_and_signed(
    start: StartSandbox, receiver: Receiver
) -> None:
    url = f"{receiver.url}/webhooks/inbound"
    customer = await start(sms=SmsOptions(inbound_url=url))
    said = {"from": "+4915112345678", "to": "+15005550006", "body": "STOP"}

    answer = await customer.control("sms/inbound", said, "POST")
    await wait_until(lambda: receiver.posts)

    [post] = receiver.posts
    assert answer["posted"] is True
    assert is_genuine(post, url)
    assert (post.form["From"], post.form["To"], post.form["Body"]) == (
        "+4915112345678",
        "+15005550006",
        "STOP",
    )
    assert post.form["MessageSid"] == answer["sid"]


async def test_message_of_a_person_goes_nowhere_without_an_address(start: StartSandbox) -> None:
    customer = await start()

    answer = await customer.control("sms/inbound", {"from": "+1555", "body": "Hi"}, "POST")

    assert answer["posted"] is False
