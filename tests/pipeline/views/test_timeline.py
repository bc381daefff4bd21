"""The timeline of one person, without the link and without the address."""

import json
from typing import Any

import pytest

from pipeline.domain.errors import InputError
from pipeline.domain.models import FactKind
from pipeline.views.report import link_ref
from pipeline.views.timeline import Timelines, mask_address
from tests.pipeline.installation import Installation
from tests.pipeline.intake.builders import both_channels
from tests.support.redis import Redis


@pytest.fixture
async def ledger(redis: Redis) -> Installation:
    return await Installation.opened(redis)


async def story(ledger: Installation, serial: str, recipient: str = "r3") -> dict[str, Any]:
    timelines = Timelines(ledger.pages, ledger.campaigns, ledger.vault)
    return await timelines.of(await ledger.snapshot(serial), recipient)


def told(document: dict[str, Any]) -> list[str]:
    return [event["event"] for event in document["events"]]


async def test_the_timeline_of_a_finished_delivery_begins_with_the_submit(
    ledger: Installation,
) -> None:
    serial = await ledger.submitted()
    await ledger.finished(serial)
    document = await story(ledger, serial)
    assert told(document)[:3] == [
        "submitted",
        f"ordered under CC-survey-2026-11-00002 as order-{serial}-2",
        "link received and assigned",
    ]
    assert set(told(document)[3:]) == {"email: attempt 1 started", "email: sent"}
    times = [event["at"] for event in document["events"]]
    assert times == sorted(times)
    assert (document["batch"], document["position"]) == (2, 2)
    assert document["link_ref"] == link_ref(
        ledger.vault, (await ledger.batches.links(serial, 2))[1]
    )


async def test_neither_link_nor_address_is_shown(ledger: Installation) -> None:
    serial = await ledger.submitted(campaign=both_channels())
    await ledger.finished(serial)
    document = await story(ledger, serial)
    text = json.dumps(document, ensure_ascii=False)
    assert "links.example" not in text
    assert "p3@example.com" not in text
    assert document["addresses"] == {"email": "p…@example.com", "sms": "+49…03"}


async def test_the_timeline_shows_a_failure_in_words_with_its_code(ledger: Installation) -> None:
    serial = await ledger.submitted(campaign=both_channels())
    await ledger.fulfilled(serial)
    await ledger.settled(serial, FactKind.FAILED, "smtp_550_5.1.1")
    document = await story(ledger, serial)
    assert "email: failed, there is no such mailbox (smtp_550_5.1.1)" in told(document)
    failed, waiting = document["deliveries"]
    assert (failed["status"], failed["code"]) == ("failed", "smtp_550_5.1.1")
    assert failed["meaning"] == "there is no such mailbox"
    assert (waiting["channel"], waiting["status"]) == ("sms", "pending")


async def test_the_timeline_shows_the_next_attempt(ledger: Installation) -> None:
    serial = await ledger.submitted()
    await ledger.fulfilled(serial)
    await ledger.settled(serial, FactKind.DEFERRED, "smtp_lost")
    document = await story(ledger, serial)
    (delivery,) = document["deliveries"]
    assert delivery["next_attempt_at"] > delivery["started_at"]
    assert told(document)[-1] == (
        "email: to be tried again after the line to the mail server broke (smtp_lost)"
    )


async def test_the_timeline_shows_a_held_batch_with_its_reason(ledger: Installation) -> None:
    serial = await ledger.submitted()
    for claim in await ledger.ordered(serial):
        await ledger.batches.hold(claim, "links_many", missing=0, reread=0)
    document = await story(ledger, serial)
    assert told(document)[-1] == "held: the order shows more links than ordered (links_many)"
    assert document["link_ref"] is None


async def test_an_unknown_person_has_no_timeline(ledger: Installation) -> None:
    serial = await ledger.submitted()
    with pytest.raises(InputError, match='has no recipient "R3"'):
        await story(ledger, serial, "R3")


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("ann@example.com", "a…@example.com"),
        ("@x", "…@x"),
        ("+4930123", "+49…23"),
        ("+49301", "…"),
    ],
)
def test_an_address_is_masked(address: str, shown: str) -> None:
    assert mask_address(address) == shown
