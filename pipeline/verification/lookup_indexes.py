"""Recounts the lookup indexes: recipient id to position, and link to the batch that owns it."""

from collections.abc import Iterator, Sequence

from pipeline.store.formats.snapshot import CampaignSnapshot
from pipeline.store.lookups import LinkOwner, Lookups
from pipeline.verification.batch_invariants import Violation
from pipeline.verification.sealed_contents import SealedContents
from pipeline.views.batch_view import BatchView

Looked = tuple[int, int, str]
"""The batch and index where an id or link stands, and the id or link itself."""


class LookupIndexes:
    """
    Checks that ids and links are distinct over the campaign, in little memory.

    An index has one entry for each digest. So the second of two equal ids or links is found at the
    position of the first.
    """

    def __init__(self, lookups: Lookups) -> None:
        self._lookups = lookups

    async def violations(
        self, campaign: CampaignSnapshot, batches: Sequence[tuple[BatchView, SealedContents]]
    ) -> list[Violation]:
        """Return what the lookup indexes say of some batches that the batches do not."""
        serial, size = campaign.serial, campaign.batch_size or 1
        people = [each for entry, content in batches for each in _people(entry, content)]
        links = [each for entry, content in batches for each in _links(entry, content)]
        positions = await self._lookups.positions(
            serial, campaign.lookup_buckets or 1, [name for *_, name in people]
        )
        owners = await self._lookups.owners([link for *_, link in links])
        return [
            *_misplaced(people, positions, size),
            *_foreign(serial, links, owners),
        ]

    async def strays(self, campaign: CampaignSnapshot) -> list[Violation]:
        """Return a violation if the index of ids has more or fewer entries than recipients."""
        entries = await self._lookups.count(campaign.serial, campaign.lookup_buckets or 1)
        if entries == campaign.recipients:
            return []
        found = f"{entries} ids can be looked up, {campaign.recipients} recipients were taken in"
        return [Violation(3, "recipient_place", None, found)]


def _people(entry: BatchView, content: SealedContents) -> Iterator[Looked]:
    """Yield the ids that can be looked up; of an erased id the index keeps the digest."""
    for index, recipient in enumerate(content.rows or ()):
        if index not in entry.batch.erased:
            yield entry.number, index, recipient.id


def _links(entry: BatchView, content: SealedContents) -> Iterator[Looked]:
    for index, link in enumerate(content.links or ()):
        if index not in entry.batch.erased:
            yield entry.number, index, link


def _misplaced(
    expected: Sequence[Looked], found: Sequence[int | None], size: int
) -> Iterator[Violation]:
    for (number, index, _), actual in zip(expected, found, strict=True):
        if actual is None:
            words = f"the id of recipient {index + 1} cannot be looked up"
            yield Violation(3, "recipient_place", number, words)
        elif actual != (number - 1) * size + index:
            batch, other = divmod(actual, size)
            words = (
                f"the id of recipient {index + 1} is looked up as recipient {other + 1}"
                f" of batch {batch + 1}"
            )
            yield Violation(3, "recipient_place", number, words)


def _foreign(
    serial: str, expected: Sequence[Looked], found: Sequence[LinkOwner | None]
) -> Iterator[Violation]:
    for (number, index, _), actual in zip(expected, found, strict=True):
        if actual is None:
            words = f"the link of recipient {index + 1} is not registered as used"
            yield Violation(3, "link_registered", number, words)
        elif actual != LinkOwner(serial, str(number)):
            other = "" if actual.serial == serial else f" of the campaign {actual.serial}"
            words = f"the link of recipient {index + 1} belongs to batch {actual.batch}{other}"
            yield Violation(4, "link_twice", number, words)
