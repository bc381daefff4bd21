"""The SMS channel against the sandbox: two readings of Twilio's documentation."""

import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager
from pathlib import Path

import pytest

from channels.sms import SmsChannel, TwilioAccount
from pipeline.domain.errors import BlockedError, DeliveryError, PermanentError, UncertainError
from pipeline.domain.models import DeliveryKey, Message, Receipt
from sandbox.faults import SmsFaults
from sandbox.options import SandboxOptions, SmsOptions
from sandbox.server import Sandbox, running

LINK = "https://claim.example.com/c/abc"

Connect = Callable[..., AbstractAsyncContextManager[tuple[SmsChannel, Sandbox]]]


@pytest.fixture
def connect(tmp_path: Path) -> Connect:
    """Return what runs a sandbox with these faults and a channel to it."""

    @asynccontextmanager
    async def connected(
        sms: SmsOptions | None = None, **changes: str
    ) -> AsyncIterator[tuple[SmsChannel, Sandbox]]:
        options = SandboxOptions(directory=tmp_path, sms=sms or SmsOptions())
        async with running(options) as sandbox:
            values = {
                "account_sid": sandbox.account_sid,
                "auth_token": sandbox.auth_token,
                "from_number": "+15005550006",
                "base_url": sandbox.base_url,
                "connect_timeout": 60.0,
                "timeout": 120.0,
            } | changes
            channel = SmsChannel(TwilioAccount(**values))  # type: ignore[arg-type]
            async with aclosing(channel):
                yield channel, sandbox

    return connected


def a_message(to: str = "+4915112345678") -> Message:
    content = f"Für Zoë: {LINK}".encode()
    return Message(key=DeliveryKey("k"), to=to, content=content, link=LINK)


def cleared() -> None:
    """Let every message go."""


async def test_message_is_taken_and_found_again(connect: Connect) -> None:
    async with connect() as (channel, sandbox):
        intent = time.time()
        receipt = await channel.send(a_message(), cleared)

        [(_, message)] = sandbox.messages.since()
        assert (message.to, message.body) == ("+4915112345678", f"Für Zoë: {LINK}")
        assert receipt == Receipt(reference=message.sid)
        assert await channel.look_up(a_message(), not_before=intent) == receipt
        assert await channel.look_up(a_message("+491511"), not_before=intent) is None
        assert await channel.look_up(a_message(), not_before=intent + 120) is None


@pytest.mark.parametrize("faults", [SmsFaults(sms_reset_after=1), SmsFaults(sms_500_after=1)])
async def test_lost_answer_is_settled_by_looking_it_up(
    connect: Connect, faults: SmsFaults
) -> None:
    async with connect(SmsOptions(faults=faults)) as (channel, sandbox):
        intent = time.time()
        with pytest.raises(UncertainError):
            await channel.send(a_message(), cleared)

        found = await channel.look_up(a_message(), not_before=intent)
        assert isinstance(found, Receipt)
        assert sandbox.messages.count() == 1


async def test_message_that_never_arrived_is_not_found(connect: Connect) -> None:
    async with connect(SmsOptions(faults=SmsFaults(sms_500_before=1))) as (channel, sandbox):
        with pytest.raises(UncertainError):
            await channel.send(a_message(), cleared)

        assert await channel.look_up(a_message(), not_before=time.time()) is None
        assert sandbox.messages.count() == 0


async def test_undelivered_message_is_found_with_its_reason(connect: Connect) -> None:
    options = SmsOptions(sent_after=0, delivered_after=0)
    async with connect(options) as (channel, _):
        await channel.send(a_message("+15007771234"), cleared)

        found = await channel.look_up(a_message("+15007771234"), not_before=time.time())

    assert isinstance(found, PermanentError)
    assert found.code == "twilio_30005"


@pytest.mark.parametrize(
    ("to", "kind", "code"),
    [
        ("+15005550001", PermanentError, "twilio_21211"),
        ("+15005550002", BlockedError, "twilio_21612"),
        ("+15005550003", BlockedError, "twilio_21408"),
        ("+15005550004", PermanentError, "twilio_21610"),
        ("+15005550009", PermanentError, "twilio_21614"),
    ],
)
async def test_magic_numbers_are_refused_as_they_should(
    connect: Connect, to: str, kind: type[DeliveryError], code: str
) -> None:
    async with connect() as (channel, _):
        with pytest.raises(kind) as caught:
            await channel.send(a_message(to), cleared)

    assert caught.value.code == code


async def test_wrong_token_and_wrong_account_are_fatal(connect: Connect) -> None:
    for changes in ({"auth_token": "wrong"}, {"account_sid": "AC1"}):
        async with connect(**changes) as (channel, _):
            with pytest.raises(BlockedError) as caught:
                await channel.check()

        assert caught.value.fatal
