"""One stored batch, decoded: its order, its ledger, and the due indexes that it stands in."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from pipeline.domain.batch import Batch, Lane
from pipeline.domain.errors import ClaimcastError
from pipeline.domain.models import ChannelName
from pipeline.store.batch_pages import StoredBatch
from pipeline.store.formats.records import DeliveryRecord, initial_records, parse_record
from pipeline.store.formats.snapshot import CampaignSnapshot

DeliveryRecords = tuple[DeliveryRecord, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CampaignTerms:
    """
    What the batches of a campaign have in common; *cancelled* is as of the page's moment.

    *purging* says that people and links are being removed, *purged* that all must be removed.
    """

    channels: Sequence[ChannelName]
    mode: str
    cancelled: bool
    purging: bool = False
    purged: bool = False

    @classmethod
    def of(cls, campaign: CampaignSnapshot) -> "CampaignTerms":
        """Return the terms of a campaign as it was read with a page of batches."""
        return cls(
            channels=campaign.channels,
            mode=campaign.mode,
            cancelled=campaign.cancelled,
            purging=campaign.purging,
            purged=bool(campaign.purged_ms),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchView:
    """A batch with its ledger decoded; `damaged` names the fields that could not be decoded."""

    number: int
    batch: Batch
    ledger: Mapping[int, DeliveryRecords]
    earlier: Mapping[int, DeliveryRecords]
    damaged: Sequence[str]
    lanes: Sequence[Lane]
    terms: CampaignTerms

    @classmethod
    def read(cls, stored: StoredBatch, terms: CampaignTerms) -> "BatchView":
        """Decode a stored batch; raises ValueError or KeyError if its hash is no batch."""
        batch = stored.decode()
        ledger, damaged = _understood(stored.ledger, batch.size)
        earlier, damaged_too = _understood(stored.earlier, batch.size)
        return cls(
            number=stored.number,
            batch=batch,
            ledger=ledger,
            earlier=earlier,
            damaged=damaged + damaged_too,
            lanes=stored.lanes,
            terms=terms,
        )

    def people(self) -> Iterator[tuple[int, DeliveryRecords]]:
        """Yield every recipient's index and deliveries, also of those not tried yet."""
        for index in range(self.batch.size):
            yield (
                index,
                self.ledger.get(index)
                or initial_records(self.terms.channels, self.terms.mode, self.batch.plan, index),
            )


def understood(stored: StoredBatch, terms: CampaignTerms) -> BatchView:
    """Decode a batch and its ledger; raises ClaimcastError if it is missing or damaged."""
    try:
        return BatchView.read(stored, terms)
    except (ValueError, KeyError) as error:
        msg = f"Batch {stored.number} is gone or damaged; `claimcast verify` says what is wrong."
        raise ClaimcastError(msg) from error


def _understood(
    fields: Mapping[str, str], size: int
) -> tuple[dict[int, DeliveryRecords], list[str]]:
    """Return the records by index, and the names of the fields that hold no records."""
    records: dict[int, DeliveryRecords] = {}
    damaged = []
    for field, text in fields.items():
        try:
            records[_index(field, size)] = parse_record(text)
        except (ValueError, KeyError):
            damaged.append(field)
    return records, damaged


def _index(field: str, size: int) -> int:
    index = int(field)
    if not 0 <= index < size:
        raise ValueError(field)
    return index
