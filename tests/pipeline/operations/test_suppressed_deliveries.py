"""A retry leaves out the deliveries that it cannot help, and no others."""

import pytest

from pipeline.domain.models import DeliveryStatus, FactKind
from pipeline.domain.resend_history import Resend
from pipeline.operations.suppressed_deliveries import SuppressedDeliveries, count_unreachable
from pipeline.store.batches import Claim, SuppressedDelivery
from pipeline.store.deliveries import Fact, IntentRequest, RecipientPlace
from pipeline.store.formats.resends import seal_resends
from pipeline.store.suppressions import Suppressions
from tests.pipeline.ledger import (
    EMAIL,
    SMS,
    Ledger,
    a_campaign,
    assert_sound,
    fulfilled,
    people,
    submit,
    taken,
)

DEAD = "smtp_550_5.1.1"


async def refused(
    ledger: Ledger, number: int = 2, *, kind: FactKind = FactKind.FAILED, both: bool = False
) -> Claim:
    """Return the claim of a batch whose people no message reached; with *both* nor an SMS."""
    campaign = a_campaign(channels=("email", "sms") if both else ("email",))
    found = await fulfilled(ledger, await submit(ledger, campaign, [people(number, phone=both)]))
    for channel in (EMAIL, SMS)[: 1 + both]:
        await ledger.deliveries.intend(
            found, [IntentRequest(i, channel, 0) for i in range(number)]
        )
        facts = [Fact(i, channel, 1, FactKind.FAILED, DEAD) for i in range(number)]
        if kind is FactKind.BOUNCED:
            facts += [Fact(i, channel, 1, FactKind.BOUNCED, "bounce_5.1.1") for i in range(number)]
        await ledger.deliveries.record({(found.unit.serial, 1): facts})
    await ledger.batches.distributed(found, delay=0)
    return found


def suppressions(ledger: Ledger) -> Suppressions:
    return Suppressions(ledger.redis, ledger.vault)


async def suppressed(ledger: Ledger, serial: str) -> list[SuppressedDelivery]:
    seen = SuppressedDeliveries(ledger.campaigns, suppressions(ledger))
    return await seen.find_in(serial, 1, await ledger.deliveries.read(serial, 1))


async def retried(ledger: Ledger, serial: str) -> int:
    """Retry as the command does, check the ledger, and return how many are pending again."""
    moved, _ = await ledger.batches.retry(
        serial,
        1,
        failed=True,
        uncertain=False,
        held=False,
        adopt=False,
        suppressed=await suppressed(ledger, serial),
    )
    await assert_sound(ledger, serial)
    return moved


async def statuses(ledger: Ledger, serial: str) -> list[list[DeliveryStatus]]:
    found = await ledger.deliveries.read(serial, 1)
    return [[record.status for record in found[index]] for index in sorted(found)]


@pytest.mark.parametrize("kind", [FactKind.FAILED, FactKind.BOUNCED])
async def test_suppressed_addresses_are_left_as_they_are_until_they_are_off_the_list(
    ledger: Ledger, kind: FactKind
) -> None:
    serial = (await refused(ledger, kind=kind)).unit.serial
    before = await statuses(ledger, serial)
    await suppressions(ledger).add(EMAIL, "person0@example.com", DEAD)
    assert await retried(ledger, serial) == 1
    assert await statuses(ledger, serial) == [before[0], [DeliveryStatus.PENDING]]
    await suppressions(ledger).remove(EMAIL, "person0@example.com")
    assert await retried(ledger, serial) == 1
    again = await taken(ledger, serial)
    attempts = await ledger.deliveries.intend(
        again, [IntentRequest(0, EMAIL, 1), IntentRequest(1, EMAIL, 1)]
    )
    assert attempts == [2, 2]


async def test_a_suppressed_address_does_not_keep_the_other_channel_from_a_retry(
    ledger: Ledger,
) -> None:
    serial = (await refused(ledger, both=True)).unit.serial
    await suppressions(ledger).add(EMAIL, "person0@example.com", DEAD)
    found = await suppressed(ledger, serial)
    assert found == [SuppressedDelivery(0, EMAIL, 1, DEAD)]
    records = await ledger.deliveries.read(serial, 1)
    assert count_unreachable(records, found) == 0
    assert count_unreachable(records, [*found, SuppressedDelivery(0, SMS, 1, "by hand")]) == 1
    assert await retried(ledger, serial) == 2
    assert await statuses(ledger, serial) == [
        [DeliveryStatus.FAILED, DeliveryStatus.PENDING],
        [DeliveryStatus.PENDING, DeliveryStatus.SKIPPED],
    ]


async def test_the_address_of_the_last_resend_counts(ledger: Ledger) -> None:
    found = await refused(ledger, 1)
    serial = found.unit.serial
    await suppressions(ledger).add(EMAIL, "person0@example.com", DEAD)
    given = Resend(channel=EMAIL, number=2, address="new@example.com", at_ms=1)
    (seen,) = await ledger.redis.hvals(f"cc:{serial}:d:1")
    sealed = seal_resends(ledger.vault, serial, "r-0", (given,))
    place = RecipientPlace(serial, 1, 0)
    assert (
        await ledger.deliveries.resend(place, EMAIL, 2, seen=seen.decode(), sealed=sealed) == "ok"
    )
    again = await taken(ledger, serial)
    await ledger.deliveries.intend(again, [IntentRequest(0, EMAIL, 0, resend_number=2)])
    await ledger.deliveries.record(
        {(serial, 1): [Fact(0, EMAIL, 1, FactKind.FAILED, "smtp_550", resend_number=2)]}
    )
    assert await suppressed(ledger, serial) == []
    await suppressions(ledger).add(EMAIL, "new@example.com", "by hand")
    assert await suppressed(ledger, serial) == [SuppressedDelivery(0, EMAIL, 2, "by hand")]


async def test_a_purged_batch_has_no_suppressed_delivery(ledger: Ledger) -> None:
    serial = (await refused(ledger)).unit.serial
    await suppressions(ledger).add(EMAIL, "person0@example.com", DEAD)
    await ledger.redis.delete(f"cc:{serial}:r:1")
    assert await suppressed(ledger, serial) == []
