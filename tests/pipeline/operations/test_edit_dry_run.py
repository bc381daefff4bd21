"""Before an edit its messages are composed for everybody who may still be sent one."""

from collections.abc import Sequence
from typing import Literal

from channels.email import EmailComposer
from channels.email.address import Mailbox
from pipeline.domain.campaign import Campaign
from pipeline.domain.models import ChannelName, FactKind, Recipient
from pipeline.operations.edit_dry_run import FAILURES_SHOWN, EditDryRun, remaining_deliveries
from pipeline.store.deliveries import Fact, IntentRequest
from tests.pipeline.ledger import (
    EMAIL,
    SMS,
    Ledger,
    a_campaign,
    fulfilled,
    held,
    people,
    placed,
    submit,
    taken,
)


def titled(subject: str) -> Campaign:
    return a_campaign(email={"subject": subject, "text": "{{ link }}"})


# Who may still be sent something ----------------------------------------------------------------


async def left(ledger: Ledger, serial: str, wanted: Campaign) -> dict[str, list[ChannelName]]:
    snapshot = await ledger.campaigns.snapshot(serial)
    return {
        recipient.id: channels
        async for recipient, channels in remaining_deliveries(
            ledger.campaigns, ledger.batches, ledger.deliveries, snapshot, wanted
        )
    }


End = FactKind | Literal["not started", "on its way"]


async def after(ledger: Ledger, ends: Sequence[End], *, mode: str) -> dict[str, list[ChannelName]]:
    """Let the e-mails of one batch end as *ends* says; return the remaining deliveries."""
    campaign = a_campaign(channels=["email", "sms"], mode=mode)
    serial = await submit(ledger, campaign, [people(len(ends), phone=True)])
    claim = await fulfilled(ledger, serial)
    started = [index for index, end in enumerate(ends) if end != "not started"]
    await ledger.deliveries.intend(claim, [IntentRequest(index, EMAIL, 0) for index in started])
    facts = [
        Fact(index, EMAIL, 1, end, "code")
        for index, end in enumerate(ends)
        if isinstance(end, FactKind)
    ]
    await ledger.deliveries.record({(serial, 1): facts})
    return await left(ledger, serial, campaign)


async def test_in_mode_first_a_reached_person_is_sent_nothing_more(ledger: Ledger) -> None:
    assert await after(
        ledger,
        [
            "not started",
            "on its way",
            FactKind.SENT,
            FactKind.DELIVERED,
            FactKind.FAILED,
            FactKind.UNCERTAIN,
            FactKind.DEFERRED,
        ],
        mode="first",
    ) == {
        "r-0": [EMAIL, SMS],
        "r-1": [EMAIL, SMS],
        "r-4": [SMS],
        "r-5": [EMAIL, SMS],
        "r-6": [EMAIL, SMS],
    }


async def test_in_mode_all_every_channel_that_is_open_counts(ledger: Ledger) -> None:
    assert await after(
        ledger, ["not started", FactKind.SENT, FactKind.FAILED, FactKind.UNCERTAIN], mode="all"
    ) == {
        "r-0": [EMAIL, SMS],
        "r-1": [SMS],
        "r-2": [SMS],
        "r-3": [EMAIL, SMS],
    }


async def test_every_batch_counts_that_is_not_done(ledger: Ledger) -> None:
    campaign = a_campaign()
    serial = await submit(ledger, campaign, 5)
    await placed(ledger, serial, 2)
    await fulfilled(ledger, serial, 3)
    await held(ledger, await taken(ledger, serial, 4), "order_refused")
    done = await fulfilled(ledger, serial, 5)
    await ledger.deliveries.intend(done, [IntentRequest(0, EMAIL, 0)])
    await ledger.deliveries.record({(serial, 5): [Fact(0, EMAIL, 1, FactKind.SENT)]})
    await ledger.batches.distributed(done, delay=0)

    assert list(await left(ledger, serial, campaign)) == ["r-0", "r-1", "r-2", "r-3"]


async def test_a_failed_person_of_a_done_batch_does_not_count(
    ledger: Ledger,
) -> None:
    campaign = a_campaign(channels=["email", "sms"])
    serial = await submit(ledger, campaign, [people(1, phone=True)])
    claim = await fulfilled(ledger, serial)
    await ledger.deliveries.intend(claim, [IntentRequest(0, EMAIL, 0)])
    await ledger.deliveries.record(
        {(serial, 1): [Fact(0, EMAIL, 1, FactKind.FAILED_OUTRIGHT, "smtp_550")]}
    )
    assert await left(ledger, serial, campaign) == {"r-0": [SMS]}
    await ledger.batches.distributed(claim, delay=0)
    assert await left(ledger, serial, campaign) == {}


async def test_an_erased_or_skipped_person_is_sent_nothing_more(ledger: Ledger) -> None:
    campaign = a_campaign(channels=["email", "sms"])
    serial = await submit(ledger, campaign, [people(3, phone=True)])
    await ledger.redis.hset(f"cc:{serial}:b:1", "gone", "0:1700000000000")
    await ledger.redis.hset(f"cc:{serial}:d:1", "1", "ke1.0.0.0.0.cancelled")
    assert list(await left(ledger, serial, campaign)) == ["r-2"]


# Tried on everybody -----------------------------------------------------------------------------


def tried(wanted: Campaign, recipients: Sequence[Recipient]) -> EditDryRun:
    assert wanted.email is not None
    sender = Mailbox.parse("a@example.com", where="test")
    dry_run = EditDryRun(wanted, {EMAIL: EmailComposer(wanted.email, sender)})
    for recipient in recipients:
        dry_run.compose_for(recipient, [EMAIL], 0.0)
    return dry_run


def test_messages_that_fit_everybody_have_no_failure() -> None:
    dry_run = tried(titled("Hello {{ name }}"), people(30))
    assert (dry_run.people, dry_run.failure_count) == (30, 0)


def test_a_variable_that_is_not_in_the_list_is_named_with_its_template() -> None:
    dry_run = tried(titled("Hello {{ nmae }}"), people(30))
    assert dry_run.failure_count == 30
    assert len(dry_run.failures) == FAILURES_SHOWN
    assert dry_run.failures[0] == "r-0: email.subject uses {{ nmae }}, which is not in the list"


def test_only_those_count_whom_the_message_does_not_fit() -> None:
    known = [Recipient(id=f"r{n}", email="a@example.com", variables={"n": str(n)}) for n in (0, 1)]
    dry_run = tried(titled("{{ n }}"), known)
    assert dry_run.failure_count == 0
    lacking = [*known, Recipient(id="r2", email="a@example.com")]
    assert tried(titled("{{ n }}"), lacking).failures == [
        "r2: email.subject uses {{ n }}, which is not in the list"
    ]


def test_a_failure_to_compose_is_reported_without_the_values() -> None:
    wanted = a_campaign(email={"subject": "S", "text": "{{ link }}" + "{{ n }}" * 2000})
    big = Recipient(id="r0", email="a@example.com", variables={"n": "secret" * 100})
    (failure,) = tried(wanted, [big]).failures
    assert failure.startswith("r0: email.text cannot be filled for this recipient")
    assert "secret" not in failure


def test_an_address_that_no_text_can_help_is_no_reason_to_refuse() -> None:
    assert tried(titled("S"), [Recipient(id="r0", email="nobody")]).failure_count == 0
