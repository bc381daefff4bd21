"""A ledger that all that there is happens to, with a look at the server between the steps."""

import json
from collections.abc import Awaitable, Callable
from datetime import timedelta

from pipeline.domain.batch import Lane, WaitCounter
from pipeline.domain.models import FactKind
from pipeline.domain.resend_history import Resend
from pipeline.operations.erase_recipient import RecipientEraser
from pipeline.operations.replace_order import OrderReplacement, ReplacementPlan
from pipeline.store.batches import Claim
from pipeline.store.deliveries import Fact, IntentRequest, RecipientPlace
from pipeline.store.formats.records import DeliveryRecord
from pipeline.store.formats.resends import seal_resends
from pipeline.store.scripts import Scripts
from pipeline.store.suppressions import Suppressions
from tests.pipeline.ledger import (
    EMAIL,
    SMS,
    Ledger,
    a_campaign,
    fulfilled,
    held,
    lapse,
    links_of,
    make_due,
    people,
    placed,
    retried,
    stage,
    submit,
    taken,
)

Look = Callable[[], Awaitable[None]]


async def live(ledger: Ledger, look: Look) -> None:
    """Bring campaigns through everything; *look* is called whenever something has changed."""
    for step in (submitted, ordered, delivered, replaced, died_of, edited, blocked, cancelled):
        await step(ledger, look)


async def submitted(ledger: Ledger, look: Look) -> None:
    given_up, _ = await stage(ledger, a_campaign("given-up"), [people(1)])
    drop = (given_up.campaign_id, given_up.serial, given_up.nonce)
    assert await Scripts(ledger.redis).call("stage_drop", *drop)
    staging, totals = await stage(ledger, a_campaign("staged"), [people(2)])
    await look()
    await ledger.staging.commit(staging, a_campaign("staged"), totals)
    await look()


async def ordered(ledger: Ledger, look: Look) -> None:
    """Order one batch with every delay that there may be."""
    batches = ledger.batches
    serial = await submit(ledger, a_campaign("ordered"))
    for counter in (WaitCounter.FAILS, WaitCounter.ODD):
        claim = await taken(ledger, serial, nonce=f"w/{counter}")
        await _posted(ledger, claim)
        await batches.wake(serial, 1, complete=True)
        await look()
        await batches.release(claim, delay=0, counter=counter)
        await look()
    claim = await taken(ledger, serial, nonce="w/held")
    await held(ledger, claim, "foreign_order")
    await look()
    await retried(ledger, serial, held=True, adopt=True)
    await look()
    claim = await placed(ledger, serial, nonce="w/placed")
    await batches.release(claim, delay=0, counter=WaitCounter.POLLS)
    await look()


async def delivered(ledger: Ledger, look: Look) -> None:
    """Send, resend, suppress, erase and purge."""
    campaign = a_campaign("delivered", channels=["email", "sms"], email_uncertain="hold")
    serial = await submit(ledger, campaign, [people(4, phone=True)])
    claim = await fulfilled(ledger, serial)
    await look()
    granted = await ledger.deliveries.intend(
        claim, [IntentRequest(index, EMAIL, 0) for index in range(4)]
    )
    assert granted == [1] * 4
    await look()
    dead = Suppressions(ledger.redis, ledger.vault).key_of(EMAIL, "person1@example.com")
    facts = [
        Fact(0, EMAIL, 1, FactKind.SENT),
        Fact(1, EMAIL, 1, FactKind.BOUNCED, "bounce_5.1.1", suppress=dead),
        Fact(2, EMAIL, 1, FactKind.UNCERTAIN, "unconfirmed"),
        Fact(3, EMAIL, 1, FactKind.FAILED_OUTRIGHT, "smtp_550"),
    ]
    await ledger.deliveries.record({(serial, 1): facts})
    await look()
    await _resent(ledger, serial)
    await look()
    await _erased(ledger, serial, "r-2")
    await look()
    await _sent(ledger, serial)
    await look()
    await _purged(ledger, serial, look)


async def replaced(ledger: Ledger, look: Look) -> None:
    """End a dead order that gave one link of two."""
    serial = await submit(ledger, a_campaign("replaced"), [people(2)])
    claim = await placed(ledger, serial)
    shown = {"Links": [{"Url": link} for link in links_of(serial, 1, 1)]}
    raw = json.dumps(shown).encode()
    await ledger.batches.hold(claim, "links_short", evidence=raw, missing=1, reread=0)
    await look()
    await _divided(ledger, serial)
    await look()
    serial = await submit(ledger, a_campaign("dead"), [people(2)])
    await held(ledger, await placed(ledger, serial), "order_failed", missing=2)
    await _divided(ledger, serial)
    await look()


async def died_of(ledger: Ledger, look: Look) -> None:
    """Let workers die of a batch, until one is alone with it, and then nobody has it."""
    serial = await submit(ledger, a_campaign("deadly"))
    for number in range(3):
        await taken(ledger, serial, nonce=f"w/{number}")
        await lapse(ledger, serial)
        await look()
    await ledger.batches.pump(order=1, read=1, send=1, dispatch_seconds=60, worker="w")
    await look()


async def edited(ledger: Ledger, look: Look) -> None:
    serial = await submit(ledger, a_campaign("edited"))
    await ledger.campaigns.steer(serial, "pause")
    other = a_campaign("edited", email={"subject": "Other", "text": "{{ link }}"})
    assert (await ledger.campaigns.edit(serial, other, made_from=1, nonce="n"))[0] == "ok"
    await look()


async def blocked(ledger: Ledger, look: Look) -> None:
    """Block a lane, and let one batch try it again."""
    serial = await submit(ledger, a_campaign("blocked"))
    block = ledger.campaigns.block
    await block(serial, Lane.ORDER, "credentials", "Nobody knows you.", probe_after=0.001)
    await look()
    for other in await ledger.campaigns.ids():
        if other != "blocked":
            await ledger.campaigns.steer((await ledger.campaigns.find(other)) or "", "pause")
    await make_due(ledger, serial)
    while not await ledger.batches.pump(order=1, read=0, send=0, dispatch_seconds=60):
        pass
    await look()


async def cancelled(ledger: Ledger, look: Look) -> None:
    """Cancel a campaign whose links come too late, and one whose order nobody knows of."""
    serial = await submit(ledger, a_campaign("late"), [people(2)])
    claim = await placed(ledger, serial)
    await ledger.campaigns.steer(serial, "cancel")
    await ledger.batches.links_received(claim, links_of(serial, 1, 2))
    await look()
    serial = await submit(ledger, a_campaign("unknown"))
    claim = await taken(ledger, serial)
    await _posted(ledger, claim)
    await ledger.campaigns.steer(serial, "cancel")
    await ledger.batches.cancel(claim, "order_unknown")
    await look()


async def _posted(ledger: Ledger, claim: Claim) -> None:
    await ledger.batches.order_intent(
        claim, po_number=f"PO-{claim.unit.serial}-1", payload_hash="h", nonce=claim.token
    )


async def _resent(ledger: Ledger, serial: str) -> None:
    """Send recipient 0 their link by SMS as well, and by e-mail to another address."""
    history: tuple[Resend, ...] = ()
    for channel, to in ((SMS, "+15550009999"), (EMAIL, "other@example.com")):
        number = 1 if channel is SMS else 2
        history = (*history, Resend(channel=channel, number=number, address=to, at_ms=1))
        seen = await ledger.redis.hget(f"cc:{serial}:d:1", "0")
        sealed = seal_resends(ledger.vault, serial, "r-0", history)
        place = RecipientPlace(serial, 1, 0)
        done = await ledger.deliveries.resend(
            place, channel, number, seen=seen.decode(), sealed=sealed
        )
        assert done == "ok"


async def _erased(ledger: Ledger, serial: str, recipient: str) -> None:
    eraser = RecipientEraser(ledger.pages, ledger.campaigns, ledger.erasures, ledger.vault)
    await eraser.forget(await ledger.campaigns.snapshot(serial), recipient)


async def _sent(ledger: Ledger, serial: str) -> None:
    """Send whatever is pending, until the campaign has finished."""
    while not (await ledger.campaigns.snapshot(serial)).ended:
        await lapse(ledger, serial)
        claim = await taken(ledger, serial, nonce="w/sends")
        for index, records in claim.ledger.items():
            for record in records:
                await _finish(ledger, claim, index, record)
        await ledger.batches.distributed(claim, delay=0)


async def _finish(ledger: Ledger, claim: Claim, index: int, record: DeliveryRecord) -> None:
    asked = IntentRequest(
        index, record.channel, record.attempt, resend_number=record.resend_number
    )
    [attempt] = await ledger.deliveries.intend(claim, [asked])
    if attempt:
        sent = Fact(
            *(index, record.channel, attempt, FactKind.SENT), resend_number=record.resend_number
        )
        await ledger.deliveries.record({(claim.unit.serial, claim.unit.batch): [sent]})


async def _purged(ledger: Ledger, serial: str, look: Look) -> None:
    assert await ledger.purges.begin(serial, timedelta(0)) == "purging"
    await ledger.purges.remove(serial, 1, 1)
    await look()
    await ledger.purges.end(serial)
    await look()


async def _divided(ledger: Ledger, serial: str) -> None:
    operation = OrderReplacement(
        ledger.pages, ledger.lookups, ledger.order_replacement, ledger.vault, None
    )
    plan = await operation.plan(await ledger.campaigns.snapshot(serial), 1)
    assert isinstance(plan, ReplacementPlan)
    await operation.execute(plan)
