"""Asking Twilio whether it has a message whose answer was lost."""

from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any

import pytest

from channels.sms import SmsChannel
from pipeline.domain.errors import BlockedError, DeliveryError, PermanentError, TransientError
from pipeline.domain.models import DeliveryKey, Message, Receipt
from tests.channels.sms.servers import (
    HANG_UP,
    SILENCE,
    Answer,
    Script,
    Twilio,
    a_record,
    an_error,
    on_get,
    twilio,
)

LINK = "https://claim.example.com/c/abc"
INTENT = 1_700_000_000.0
MESSAGE = Message(key=DeliveryKey("k"), to="+4915112345678", content=LINK.encode(), link=LINK)


@asynccontextmanager
async def asking(
    *listed: dict[str, Any], script: Script = lambda request: None, **changes: object
) -> AsyncIterator[tuple[SmsChannel, Twilio]]:
    async with twilio(script) as server:
        server.listed.extend(listed)
        channel = SmsChannel(server.account(**changes))
        async with aclosing(channel):
            yield channel, server


async def answer(*listed: dict[str, Any], message: Message = MESSAGE) -> object:
    async with asking(*listed) as (channel, _):
        return await channel.look_up(message, not_before=INTENT)


def a_listed(seconds: float = 0.0, **changes: object) -> dict[str, Any]:
    """Return a listed message, created *seconds* after the intent."""
    created = format_datetime(datetime.fromtimestamp(INTENT + seconds, UTC))
    return a_record(**{"body": f"Hello, {LINK}.", "date_created": created, **changes})


@pytest.mark.parametrize(
    "status", ["queued", "accepted", "scheduled", "sending", "sent", "delivered", "read"]
)
async def test_message_that_twilio_has_is_sent(status: str) -> None:
    assert await answer(a_listed(status=status, sid="SM9")) == Receipt(reference="SM9")


@pytest.mark.parametrize(
    ("status", "error_code", "kind", "code"),
    [
        ("undelivered", 30005, PermanentError, "twilio_30005"),
        ("failed", 21610, PermanentError, "twilio_21610"),
        ("undelivered", 30003, TransientError, "twilio_30003"),
        ("failed", 30007, BlockedError, "twilio_30007"),
        ("undelivered", None, PermanentError, "twilio_undelivered"),
        ("canceled", None, PermanentError, "twilio_canceled"),
    ],
)
async def test_message_that_failed_at_twilio_has_its_reason(
    status: str, error_code: int | None, kind: type[DeliveryError], code: str
) -> None:
    found = await answer(a_listed(status=status, error_code=error_code))

    assert isinstance(found, kind)
    assert found.code == code


@pytest.mark.parametrize("seconds", [-60, 0, 3600])
async def test_clocks_may_differ_by_a_minute(seconds: float) -> None:
    assert isinstance(await answer(a_listed(seconds)), Receipt)


@pytest.mark.parametrize(
    "listed",
    [
        a_listed(-61),
        a_listed(body="Hello"),
        a_listed(body=None),
        a_listed(date_created=None),
        a_listed(date_created="nonsense"),
    ],
)
async def test_other_messages_are_not_ours(listed: dict[str, Any]) -> None:
    assert await answer(listed) is None


async def test_nothing_is_found_for_a_message_that_does_not_know_its_link() -> None:
    nameless = Message(key=MESSAGE.key, to=MESSAGE.to, content=MESSAGE.content)

    assert await answer(a_listed(), message=nameless) is None


async def test_latest_attempt_counts_wherever_it_stands() -> None:
    found = await answer(
        a_listed(5, sid="SM5", status="undelivered", error_code=30005),
        a_listed(9, sid="SM9"),
        a_listed(7, sid="SM7", status="undelivered", error_code=30005),
    )

    assert found == Receipt(reference="SM9")


async def test_message_on_a_later_page_is_found() -> None:
    others = [a_listed(body="Hello") for _ in range(120)]
    async with asking(*others, a_listed()) as (channel, server):
        found = await channel.look_up(MESSAGE, not_before=INTENT)

    assert isinstance(found, Receipt)
    assert server.requests[0].query == {"To": MESSAGE.to, "PageSize": "50"}
    assert len(server.requests) == 3


async def test_number_of_pages_is_bounded() -> None:
    async with asking(*[a_listed(body="Hello") for _ in range(1000)]) as (channel, server):
        assert await channel.look_up(MESSAGE, not_before=INTENT) is None

    assert len(server.requests) == 4


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (an_error(20500, 500), BlockedError),
        (HANG_UP, BlockedError),
        (SILENCE, BlockedError),
        (Answer(200, b"<html>"), BlockedError),
        (Answer(200, {"nonsense": 1, "more": 2}), BlockedError),
        (an_error(99999), BlockedError),
        (an_error(20003, 401), BlockedError),
        (an_error(20429, 429), TransientError),
    ],
)
async def test_failed_look_says_nothing_about_the_message(
    reply: Answer | str, kind: type[DeliveryError]
) -> None:
    patience = 0.3 if reply == SILENCE else 120.0
    async with asking(script=on_get(reply), timeout=patience) as (channel, _):
        with pytest.raises(kind):
            await channel.look_up(MESSAGE, not_before=INTENT)
