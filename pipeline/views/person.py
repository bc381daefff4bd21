"""Finds the current place of one person of a campaign, by the id of the recipients file."""

from pipeline.domain.errors import InputError
from pipeline.store.batch_pages import BatchPages, Page
from pipeline.store.campaigns import CampaignStore
from pipeline.store.formats.snapshot import CampaignSnapshot


async def find_person(
    campaigns: CampaignStore, pages: BatchPages, snapshot: CampaignSnapshot, recipient_id: str
) -> tuple[Page, int]:
    """
    Return the page of the one batch that a person is in, and their index in it.

    Raises InputError if the campaign has no such recipient.
    """
    place = await campaigns.locate(snapshot, recipient_id)
    if place is None:
        msg = (
            f'Campaign "{snapshot.campaign_id}" has no recipient "{recipient_id}"; ids are'
            " taken exactly as they stand in the list."
        )
        raise InputError(msg)
    return await pages.current_place(snapshot.serial, *place)
