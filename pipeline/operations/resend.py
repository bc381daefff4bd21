"""Resending: one person is looked up, judged, and given a new generation of the same link."""

from dataclasses import dataclass

from pipeline.domain.errors import InputError
from pipeline.domain.resend_history import Generation
from pipeline.domain.vault import Vault
from pipeline.operations.resend_rules import BY, Person, Wish, decide_resend
from pipeline.store.audit_trail import Action, AuditTrail
from pipeline.store.batch_pages import BatchPages, StoredBatch
from pipeline.store.campaigns import CampaignStore
from pipeline.store.deliveries import DeliveryStore, Place
from pipeline.store.formats.resends import open_generations, seal_generations
from pipeline.store.formats.sealed_batch import open_recipients
from pipeline.store.formats.snapshot import CampaignSnapshot
from pipeline.store.suppressions import Suppressions
from pipeline.views.batch_view import Ground, understood
from pipeline.views.person import find_person

_TRIES = 20  # a callback may come between the look and the change, but not time and again


@dataclass(frozen=True, slots=True)
class _Looked:
    """A person, where they stand, and their field of the ledger word for word."""

    person: Person
    place: Place
    record: str


class Resending:
    def __init__(
        self,
        pages: BatchPages,
        vault: Vault,
        *,
        campaigns: CampaignStore,
        deliveries: DeliveryStore,
        suppressions: Suppressions,
        audit: AuditTrail,
    ) -> None:
        self._pages = pages
        self._vault = vault
        self._campaigns = campaigns
        self._deliveries = deliveries
        self._suppressions = suppressions
        self._audit = audit

    async def resend(
        self, snapshot: CampaignSnapshot, recipient_id: str, wish: Wish, *, actor: str
    ) -> Generation:
        """
        Let the link go out once more and return how; InputError says why it may not.

        Written to the audit trail first. Repeated within the cooldown it sends one message.
        """
        campaign_id = snapshot.campaign_id
        for _ in range(_TRIES):
            looked = await self._look(snapshot.serial, recipient_id)
            generation = decide_resend(looked.person, wish)
            await self._refuse_suppressed(generation)
            before = looked.person.address_over(generation.channel)
            await self._audit.add(
                Action.RESEND,
                actor=actor,
                campaign=campaign_id,
                recipient=self._audit.person(campaign_id, recipient_id),
                channel=generation.channel.value,
                generation=generation.number,
                other_address=generation.address != before,
            )
            if await self._resent(looked, generation, campaign_id):
                return generation
        msg = "This person's deliveries change all the time; run the same command again."
        raise InputError(msg)

    async def _look(self, serial: str, recipient_id: str) -> _Looked:
        # The time is read first: an attempt started since counts as more recent than it is.
        snapshot = await self._campaigns.snapshot(serial)
        page, index = await find_person(self._campaigns, self._pages, snapshot, recipient_id)
        _refuse_ended(page.campaign)
        stored = page.batches[0]
        person = self._person(snapshot, stored, Ground.of(page.campaign), index)
        seen = stored.ledger.get(str(index), "")
        return _Looked(person, Place(serial, stored.number, index), seen)

    def _person(
        self, snapshot: CampaignSnapshot, stored: StoredBatch, ground: Ground, index: int
    ) -> Person:
        serial, entry = snapshot.serial, understood(stored, ground)
        if index in entry.batch.forgotten:
            raise InputError(_FORGOTTEN)
        rows = open_recipients(self._vault, serial, stored.number, stored.rows)
        generations = open_generations(self._vault, serial, rows, stored.resends)
        return Person(
            recipient=rows[index],
            records=dict(entry.people())[index],
            earlier=entry.earlier.get(index, ()),
            generations=generations.get(index, ()),
            channels=ground.channels,
            mode=ground.mode,
            linked=bool(entry.batch.fulfilled_ms),
            epoch_ms=snapshot.epoch_ms,
            now_ms=snapshot.now_ms,
        )

    async def _refuse_suppressed(self, generation: Generation) -> None:
        channel = generation.channel
        [reason] = await self._suppressions.reasons([(channel, generation.address)])
        if reason is not None:
            msg = (
                f"This address is on the suppression list ({reason}), so nothing is sent to it by "
                f"{BY[channel]}; `claimcast suppress remove` takes it off."
            )
            raise InputError(msg)

    async def _resent(self, looked: _Looked, generation: Generation, campaign_id: str) -> bool:
        """Return False if the person's deliveries are not any more as they were looked at."""
        person, place = looked.person, looked.place
        sealed = seal_generations(
            self._vault, place.serial, person.recipient.id, (*person.generations, generation)
        )
        outcome = await self._deliveries.resend(
            place,
            generation.channel,
            generation.number,
            seen=looked.record,
            sealed=sealed,
        )
        if outcome == "cancelled":
            raise InputError(_cancelled(campaign_id))
        if outcome == "gone":
            raise InputError(_FORGOTTEN)
        return outcome == "ok"


_FORGOTTEN = "This person was forgotten: address and link are gone, and nothing can be sent."


def _refuse_ended(campaign: CampaignSnapshot) -> None:
    name = campaign.campaign_id
    if campaign.purging or campaign.purged_ms:
        msg = f'The data of campaign "{name}" was purged, so nothing can be sent any more.'
        raise InputError(msg)
    if campaign.cancelled:
        raise InputError(_cancelled(name))


def _cancelled(campaign_id: str) -> str:
    return f'Campaign "{campaign_id}" was cancelled, and that is final.'
