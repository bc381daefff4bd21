"""Campaigns as the tests of commands want to find them; for `CommandLine.prepare`."""

from pipeline.store.formats.snapshot import CampaignSnapshot
from tests.pipeline.installation import Installation

ID = "survey-2026-11"


async def submit(ledger: Installation) -> str:
    """Submit the campaign `ID` and return its serial."""
    return await ledger.submitted()


async def finish(ledger: Installation) -> str:
    """Submit the campaign `ID`, work it to its end, and return its serial."""
    serial = await ledger.submitted()
    await ledger.finished(serial)
    return serial


async def snapshot(ledger: Installation) -> CampaignSnapshot:
    """Return how the campaign `ID` stands."""
    return await ledger.snapshot(str(await ledger.campaigns.find(ID)))
