"""A sound campaign passes the recount in every state, also while it changes."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import cycle

import pytest

from pipeline.domain.batch import Lane
from pipeline.domain.models import ChannelName, FactKind
from pipeline.rewards.models import OrderRequest
from pipeline.store.batch_pages import StoredBatch
from pipeline.verification.batch_invariants import Violation, tally
from pipeline.verification.verifier import VerificationFindings, Verifier
from pipeline.views.batch_view import BatchView, CampaignTerms
from tests.pipeline.installation import Installation, links_of
from tests.pipeline.intake.builders import both_channels
from tests.support.redis import Redis


@pytest.fixture
async def ledger(redis: Redis) -> Installation:
    return await Installation.opened(redis)


async def recount(ledger: Installation, serial: str) -> VerificationFindings:
    return await Verifier(ledger.pages, ledger.campaigns, ledger.lookups, ledger.vault).run(serial)


async def rules(ledger: Installation, serial: str) -> set[tuple[int, str, int | None]]:
    """Return which invariants are broken, by which rule, in which batch."""
    found = await recount(ledger, serial)
    assert found.compared
    return {(each.invariant, each.rule, each.batch) for each in found.violations}


# Sound campaigns --------------------------------------------------------------------------------


async def test_every_stage_of_a_sound_campaign_has_no_violation(ledger: Installation) -> None:
    serial = await ledger.submitted()
    assert await rules(ledger, serial) == set()
    placed = await ledger.ordered(serial)
    assert await rules(ledger, serial) == set()
    for claim in placed:
        await ledger.batches.links_received(claim, links_of(claim))
    assert await rules(ledger, serial) == set()
    await ledger.settled(serial)
    assert await rules(ledger, serial) == set()
    found = await recount(ledger, serial)
    assert (found.batches, found.recipients, found.links) == (3, 5, 5)
    assert str(found.value) == "50.00"
    assert not found.unfinished


@pytest.mark.parametrize(
    "kind",
    [
        FactKind.FAILED,
        FactKind.SUPPRESSED,
        FactKind.BOUNCED,
        FactKind.UNCERTAIN,
        FactKind.DEFERRED,
        FactKind.RELEASED,
    ],
)
async def test_the_counters_agree_after_every_result_of_deliveries(
    ledger: Installation, kind: FactKind
) -> None:
    serial = await ledger.submitted(campaign=both_channels())
    await ledger.fulfilled(serial)
    await ledger.settled(serial, kind, "smtp_550_5.1.1")
    assert await rules(ledger, serial) == set()


@pytest.mark.parametrize("stage", ["planned", "ordered", "fulfilled", "partly sent", "uncertain"])
async def test_a_cancelled_campaign_agrees_with_its_counters(
    ledger: Installation, stage: str
) -> None:
    campaign = both_channels(mode="all")
    serial = await ledger.submitted(campaign=campaign)
    placed = [] if stage == "planned" else await ledger.ordered(serial)
    if stage not in {"planned", "ordered"}:
        for claim in placed:
            await ledger.batches.links_received(claim, links_of(claim))
    if stage == "partly sent":
        await ledger.settled(serial)
    if stage == "uncertain":
        await ledger.settled(serial, FactKind.UNCERTAIN, "smtp_lost")
    assert await ledger.campaigns.steer(serial, "cancel")
    assert await rules(ledger, serial) == set()
    if stage == "ordered":
        for claim in placed:
            await ledger.batches.links_received(claim, links_of(claim))
    for lane in (Lane.ORDER, Lane.SEND):
        for claim in await ledger.claims(lane):
            await ledger.batches.cancel(claim, "order_unknown" if stage == "planned" else "")
    assert await rules(ledger, serial) == set()
    assert (await ledger.snapshot(serial)).ended


@pytest.mark.parametrize("reread", [0.0, 900.0])
async def test_held_batches_agree_with_their_counters(ledger: Installation, reread: float) -> None:
    serial = await ledger.submitted()
    for claim in await ledger.ordered(serial):
        await ledger.batches.hold(claim, "links_short", evidence=b"{}", missing=1, reread=reread)
    assert await rules(ledger, serial) == set()
    await ledger.batches.retry(serial, 1, failed=False, uncertain=False, held=True, adopt=False)
    assert await rules(ledger, serial) == set()


# Campaigns that change --------------------------------------------------------------------------


async def test_counters_that_change_during_every_count_are_not_compared(
    ledger: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    serial = await ledger.submitted()
    verifier = Verifier(ledger.pages, ledger.campaigns, ledger.lookups, ledger.vault)
    totals = verifier._totals  # noqa: SLF001 - the moment between two counts
    to_and_fro = cycle((1, -1))

    async def moved(serial: str) -> object:
        found = await totals(serial)
        await ledger.redis.hincrby(f"cc:{serial}", "d:sent", next(to_and_fro))
        return found

    monkeypatch.setattr(verifier, "_totals", moved)
    found = await verifier.run(serial)
    assert not found.compared
    assert found.violations == []
    assert found.unfinished


async def test_counters_that_stop_changing_are_compared(
    ledger: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    serial = await ledger.submitted()
    verifier = Verifier(ledger.pages, ledger.campaigns, ledger.lookups, ledger.vault)
    totals, looks = verifier._totals, iter(range(100))  # noqa: SLF001 - as above

    async def moved_once(serial: str) -> object:
        found = await totals(serial)
        if next(looks) == 0:
            await ledger.ordered(serial)
        return found

    monkeypatch.setattr(verifier, "_totals", moved_once)
    found = await verifier.run(serial)
    assert found.compared
    assert found.violations == []


def test_the_tally_of_an_untouched_batch_counts_first_channels_only() -> None:
    stored = StoredBatch(
        number=1,
        fields={"st": "planned", "plan": "321"},
        ledger={},
        earlier={},
        lanes=(Lane.ORDER,),
        rows=None,
        links=None,
        evidence=None,
        resends={},
    )
    terms = CampaignTerms(channels=list(ChannelName), mode="first", cancelled=False)
    assert tally(BatchView.read(stored, terms)) == {"b:planned": 1, "d:pending": 3, "p:open": 3}
    everything = replace(terms, mode="all")
    assert tally(BatchView.read(stored, everything))["d:pending"] == 4


# The orders at the API --------------------------------------------------------------------------


class Disagreeing:
    """Finds fault with every order, and records the orders that it was given."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, int]] = []

    async def violations(
        self, entry: BatchView, request: OrderRequest, links: Sequence[str]
    ) -> list[Violation]:
        self.asked.append((request.po_number, len(links)))
        return [Violation(1, "remote_order", entry.number, "differs")]


async def test_every_order_is_shown_to_the_remote_check(ledger: Installation) -> None:
    serial = await ledger.submitted()
    remote = Disagreeing()
    verifier = Verifier(ledger.pages, ledger.campaigns, ledger.lookups, ledger.vault)
    assert (await verifier.run(serial, remote)).orders_read == 0
    await ledger.fulfilled(serial)
    found = await verifier.run(serial, remote)
    assert (found.orders_read, found.count) == (3, 3)
    assert remote.asked == [
        ("CC-survey-2026-11-00001", 2),
        ("CC-survey-2026-11-00002", 2),
        ("CC-survey-2026-11-00003", 1),
    ]
