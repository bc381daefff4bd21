"""From the campaign's id on the command line to the campaign."""

from difflib import get_close_matches

from pipeline.domain.errors import InputError
from pipeline.store.formats.snapshot import CampaignSnapshot
from worker.wiring.ledger import App


async def find_campaign(app: App, campaign_id: str) -> CampaignSnapshot:
    """Return the campaign as it stands; raises InputError, naming the nearest id there is."""
    serial = await app.campaigns.find(campaign_id)
    if serial is not None:
        return await app.campaigns.snapshot(serial)
    if pending := await app.staging.pending(campaign_id):
        raise InputError(_missing_hint(campaign_id, alive=pending.alive))
    campaign_ids = list(await app.campaigns.ids())
    msg = f'There is no campaign "{campaign_id}"{_nearest_hint(campaign_id, campaign_ids)}'
    raise InputError(msg)


def _missing_hint(campaign_id: str, *, alive: bool) -> str:
    """Return what became of a submit that has not been completed."""
    if alive:
        return (
            f'Campaign "{campaign_id}" is being submitted at the moment, and nothing is ordered'
            " before that is complete; try again soon."
        )
    return (
        f'A submit of campaign "{campaign_id}" was interrupted; nothing was ordered; run it again.'
    )


def _nearest_hint(campaign_id: str, campaign_ids: list[str]) -> str:
    nearest = get_close_matches(campaign_id, campaign_ids, n=1)
    if nearest:
        return f'; did you mean "{nearest[0]}"?'
    if campaign_ids:
        return "; `claimcast status` shows all."
    return "; none was submitted yet: `claimcast submit` does that."


def times(number: int, noun: str, plural: str = "") -> str:
    """Return a number with its noun: `1 batch`, `2 batches`."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"
