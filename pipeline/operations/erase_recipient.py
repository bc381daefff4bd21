"""Removing one person from a campaign, on request, at any time."""

from pipeline.domain.errors import ClaimcastError, InputError
from pipeline.domain.vault import Vault
from pipeline.store.batch_pages import BatchPages, StoredBatch
from pipeline.store.campaigns import CampaignStore
from pipeline.store.formats.recipient_codec import ERASED_RECIPIENT
from pipeline.store.formats.sealed_batch import (
    open_links,
    open_recipients,
    seal_links,
    seal_recipients,
)
from pipeline.store.formats.snapshot import CampaignSnapshot
from pipeline.store.maintenance.erasures import Erased, Erasure, ErasureStore
from pipeline.views.person import find_person

_TRIES = 50  # each try fails only if somebody else changed the same batch


class RecipientEraser:
    """Finds people and erases them; every method may be repeated."""

    def __init__(
        self, pages: BatchPages, campaigns: CampaignStore, erasures: ErasureStore, vault: Vault
    ) -> None:
        self._pages = pages
        self._campaigns = campaigns
        self._erasures = erasures
        self._vault = vault

    async def look(self, snapshot: CampaignSnapshot, recipient_id: str) -> int:
        """
        Return when the person was erased, in ms since the epoch; 0 if they were not.

        Raises InputError if the campaign has, or keeps, no such person. Changes nothing.
        """
        if snapshot.purging:
            raise InputError(_purged(snapshot.campaign_id))
        stored, index = await self._place(snapshot, recipient_id)
        return stored.decode().erased.get(index, 0)

    async def forget(self, snapshot: CampaignSnapshot, recipient_id: str) -> Erased:
        """
        Remove name, addresses, variables and link of a person; nothing is sent to them any more.

        Digests, counters, the ledger's record and what was paid stay. `ErasureStore.erase` says
        how durable the removal is on return. Raises InputError as `look` does.
        """
        for _ in range(_TRIES):
            stored, index = await self._place(snapshot, recipient_id)
            erasure = self._without(snapshot.serial, stored, index)
            outcome = await self._erasures.erase(snapshot.serial, stored.number, index, erasure)
            if outcome == "purged":
                raise InputError(_purged(snapshot.campaign_id))
            if outcome != "changed":
                return outcome
        msg = "The person's batch was changed by others all the time; run this again."
        raise ClaimcastError(msg)

    async def _place(
        self, snapshot: CampaignSnapshot, recipient_id: str
    ) -> tuple[StoredBatch, int]:
        page, index = await find_person(self._campaigns, self._pages, snapshot, recipient_id)
        return page.batches[0], index

    def _without(self, serial: str, stored: StoredBatch, index: int) -> Erasure:
        if stored.rows is None:  # purged meanwhile; the store reports it
            return Erasure(rows=b"", other_rows=b"", links=b"", other_links=b"")
        vault, number = self._vault, stored.number
        people = open_recipients(vault, serial, number, stored.rows)
        people[index] = ERASED_RECIPIENT
        other_links = b""
        if stored.links is not None:
            links = open_links(vault, serial, number, stored.links)
            links[index] = ""
            other_links = seal_links(vault, serial, number, links)
        return Erasure(
            rows=stored.rows,
            other_rows=seal_recipients(vault, serial, number, people),
            links=stored.links or b"",
            other_links=other_links,
        )


def _purged(campaign_id: str) -> str:
    return f'Campaign "{campaign_id}" was purged: nothing is left of any of its people.'
