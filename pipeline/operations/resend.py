"""Resending: finds one person, applies the rules, and sends the same link again."""

from dataclasses import dataclass

from pipeline.domain.errors import InputError
from pipeline.domain.resend_history import Resend
from pipeline.domain.vault import Vault
from pipeline.operations.resend_rules import BY, ResendCandidate, ResendRequest, decide_resend
from pipeline.store.audit_trail import AuditAction, AuditTrail
from pipeline.store.batch_pages import BatchPages, StoredBatch
from pipeline.store.campaigns import CampaignStore
from pipeline.store.deliveries import DeliveryStore, RecipientPlace
from pipeline.store.formats.resends import open_resends, seal_resends
from pipeline.store.formats.sealed_batch import open_recipients
from pipeline.store.formats.snapshot import CampaignSnapshot
from pipeline.store.suppressions import Suppressions
from pipeline.views.batch_view import CampaignTerms, understood
from pipeline.views.person import find_person

_TRIES = 20  # a callback may come between reading and writing, but not that often


@dataclass(frozen=True, slots=True)
class _LocatedCandidate:
    """A person, their place in the campaign, and their field of the ledger as it was read."""

    candidate: ResendCandidate
    place: RecipientPlace
    record: str


class LinkResender:
    """Resends links to single people of a campaign."""

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
        self, snapshot: CampaignSnapshot, recipient_id: str, request: ResendRequest, *, actor: str
    ) -> Resend:
        """
        Send the link once more and return how; InputError says why it may not be sent.

        The audit trail records it first. Calls within the cooldown send one message.
        """
        campaign_id = snapshot.campaign_id
        for _ in range(_TRIES):
            located = await self._locate(snapshot.serial, recipient_id)
            resend = decide_resend(located.candidate, request)
            await self._refuse_suppressed(resend)
            before = located.candidate.address_over(resend.channel)
            await self._audit.add(
                AuditAction.RESEND,
                actor=actor,
                campaign=campaign_id,
                recipient=self._audit.person_digest(campaign_id, recipient_id),
                channel=resend.channel.value,
                generation=resend.number,
                other_address=resend.address != before,
            )
            if await self._write_resend(located, resend, campaign_id):
                return resend
        msg = "This person's deliveries change all the time; run the same command again."
        raise InputError(msg)

    async def _locate(self, serial: str, recipient_id: str) -> _LocatedCandidate:
        # The time is read first, so an attempt that starts meanwhile counts as just started.
        snapshot = await self._campaigns.snapshot(serial)
        page, index = await find_person(self._campaigns, self._pages, snapshot, recipient_id)
        _refuse_ended(page.campaign)
        stored = page.batches[0]
        person = self._candidate(snapshot, stored, CampaignTerms.of(page.campaign), index)
        seen = stored.ledger.get(str(index), "")
        return _LocatedCandidate(person, RecipientPlace(serial, stored.number, index), seen)

    def _candidate(
        self, snapshot: CampaignSnapshot, stored: StoredBatch, terms: CampaignTerms, index: int
    ) -> ResendCandidate:
        serial, entry = snapshot.serial, understood(stored, terms)
        if index in entry.batch.erased:
            raise InputError(_FORGOTTEN)
        rows = open_recipients(self._vault, serial, stored.number, stored.rows)
        resends = open_resends(self._vault, serial, rows, stored.resends)
        return ResendCandidate(
            recipient=rows[index],
            records=dict(entry.people())[index],
            earlier=entry.earlier.get(index, ()),
            resends=resends.get(index, ()),
            channels=terms.channels,
            mode=terms.mode,
            linked=bool(entry.batch.fulfilled_ms),
            epoch_ms=snapshot.epoch_ms,
            now_ms=snapshot.now_ms,
        )

    async def _refuse_suppressed(self, resend: Resend) -> None:
        channel = resend.channel
        [reason] = await self._suppressions.reasons([(channel, resend.address)])
        if reason is not None:
            msg = (
                f"This address is on the suppression list ({reason}), so nothing is sent to it by "
                f"{BY[channel]}; `claimcast suppress remove` takes it off."
            )
            raise InputError(msg)

    async def _write_resend(
        self, located: _LocatedCandidate, resend: Resend, campaign_id: str
    ) -> bool:
        """Store the resend; return False if the deliveries changed since they were read."""
        person, place = located.candidate, located.place
        sealed = seal_resends(
            self._vault, place.serial, person.recipient.id, (*person.resends, resend)
        )
        outcome = await self._deliveries.resend(
            place,
            resend.channel,
            resend.number,
            seen=located.record,
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
