"""The command `retry`: what only a person can move is tried again."""

import asyncio
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

import click

from pipeline.domain.batch import WORKED_LANES
from pipeline.domain.errors import InputError
from pipeline.operations.suppressed_deliveries import SuppressedDeliveries
from pipeline.store.audit_trail import AuditAction
from pipeline.store.batches import SuppressedDelivery
from pipeline.store.formats.snapshot import CampaignSnapshot
from worker.cli.console.actor import actor, actor_option
from worker.cli.console.campaigns import find_campaign, times
from worker.cli.console.entry import OK, command, say
from worker.cli.console.session import open_session
from worker.cli.progress.campaign_view import advice, read_view, suppressed_hint
from worker.wiring.ledger import App

_AT_ONCE = 50
_SHOWN = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryRequest:
    """What to retry."""

    failed: bool
    uncertain: bool
    held: bool
    adopt: bool


@dataclass(slots=True)
class Retried:
    """What became of it: deliveries made pending, held batches moved on, and who was left out."""

    moved: int = 0
    freed: int = 0
    suppressed: Counter[str] = field(default_factory=Counter)

    def sentences(self, campaign: str) -> Iterator[str]:
        if self.moved or self.freed or self.suppressed:
            yield (
                f"{times(self.moved, 'delivery', 'deliveries')} pending again, "
                f"{times(self.freed, 'held batch', 'held batches')} moved on."
            )
        else:
            yield "There was nothing of that kind to retry."
        if self.suppressed:
            left_out = times(self.suppressed.total(), "delivery", "deliveries")
            yield (
                f"{left_out} left out, as the address is on the suppression list "
                f"({_most(self.suppressed)}). {suppressed_hint(campaign)}"
            )


@click.command()
@click.argument("campaign")
@click.option("--failed", is_flag=True, help="People whose deliveries failed or bounced.")
@click.option("--uncertain", is_flag=True, help="Messages that may or may not have arrived.")
@click.option("--held", is_flag=True, help="Batches that are held.")
@click.option("--adopt", is_flag=True, help="With --held: take orders found under our PO numbers.")
@actor_option
@command
async def retry(campaign: str, *, failed: bool, uncertain: bool, held: bool, adopt: bool) -> int:
    """
    Retry failed or uncertain deliveries of CAMPAIGN, and held batches.

    These are what goes on only when a person says so. People keep their links.
    """
    _check_flags(failed=failed, uncertain=uncertain, held=held, adopt=adopt)
    wanted = RetryRequest(failed=failed, uncertain=uncertain, held=held, adopt=adopt)
    async with open_session() as app:
        snapshot = await find_campaign(app, campaign)
        _refuse_retry(snapshot)
        await _record(app, campaign, wanted)
        retried = await _retry(app, snapshot, wanted)
        if not snapshot.paused:
            # A retry says that the cause is mended, so what it blocked goes on too. Not by a
            # resume: somebody may have paused the campaign meanwhile.
            for lane in WORKED_LANES:
                await app.campaigns.unblock(snapshot.serial, lane)
        for line in retried.sentences(campaign):
            say(line)
        for line in advice(await read_view(app, snapshot.serial)):
            just_hinted = retried.suppressed and suppressed_hint(campaign) in line
            if not just_hinted:
                say(line)
    return OK


def _check_flags(*, failed: bool, uncertain: bool, held: bool, adopt: bool) -> None:
    if adopt and not held:
        msg = "--adopt goes with --held."
        raise click.UsageError(msg)
    if not (failed or uncertain or held):
        msg = "Say what to retry: --failed, --uncertain, --held, or several of them."
        raise click.UsageError(msg)


async def _record(app: App, campaign: str, wanted: RetryRequest) -> None:
    await app.audit.add(
        AuditAction.ADOPT if wanted.adopt else AuditAction.RETRY,
        actor=actor(),
        campaign=campaign,
        failed=wanted.failed,
        uncertain=wanted.uncertain,
        held=wanted.held,
    )


async def _retry(app: App, snapshot: CampaignSnapshot, wanted: RetryRequest) -> Retried:
    """Go through all batches, some at a time."""
    retried = Retried()
    for first in range(1, snapshot.batch_count + 1, _AT_ONCE):
        numbers = range(first, min(first + _AT_ONCE, snapshot.batch_count + 1))
        results = await asyncio.gather(
            *(_retry_batch(app, snapshot.serial, number, wanted) for number in numbers)
        )
        for moved, freed, suppressed in results:
            retried.moved += moved
            retried.freed += freed
            retried.suppressed.update(each.reason for each in suppressed)
    return retried


async def _retry_batch(
    app: App, serial: str, number: int, wanted: RetryRequest
) -> tuple[int, int, list[SuppressedDelivery]]:
    suppressed: list[SuppressedDelivery] = []
    if wanted.failed:
        ledger = await app.deliveries.read(serial, number)
        seen = SuppressedDeliveries(app.campaigns, app.suppressions)
        suppressed = await seen.find_in(serial, number, ledger)
    moved, freed = await app.batches.retry(
        serial,
        number,
        failed=wanted.failed,
        uncertain=wanted.uncertain,
        held=wanted.held,
        adopt=wanted.adopt,
        suppressed=suppressed,
    )
    return moved, freed, suppressed


def _most(reasons: Counter[str]) -> str:
    named = [f"{number:,} x {reason}" for reason, number in reasons.most_common(_SHOWN)]
    return ", ".join([*named, *(["…"] if len(reasons) > _SHOWN else [])])


def _refuse_retry(snapshot: CampaignSnapshot) -> None:
    campaign = snapshot.campaign_id
    if snapshot.cancelled:
        msg = f'Campaign "{campaign}" was cancelled, and that is final.'
        raise InputError(msg)
    if snapshot.purging:
        msg = f'People and links of campaign "{campaign}" were purged: nothing can be sent again.'
        raise InputError(msg)
