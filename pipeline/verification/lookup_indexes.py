"""The look-ups beside the batches: recipient id to place, and link to the batch that owns it."""

from collections.abc import Iterator, Mapping, Sequence

from redis.asyncio import Redis

from pipeline.domain.vault import Vault
from pipeline.store.batches import link_digest, link_place
from pipeline.store.campaigns import CampaignStore, bucket_of
from pipeline.verification.batch_invariants import Violation
from pipeline.verification.sealed_contents import BatchContents
from pipeline.views.batch_view import Entry

_AT_ONCE = 1000


class Places:
    """
    Checks that ids and links are distinct over the campaign, in little memory.

    A look-up names one place for one digest, so whoever has the same id or link as somebody
    before is found elsewhere than where he stands.
    """

    def __init__(self, redis: "Redis", campaigns: CampaignStore, vault: Vault) -> None:
        self._redis = redis
        self._campaigns = campaigns
        self._vault = vault

    async def violations(
        self,
        serial: str,
        campaign: Mapping[str, str],
        batches: Sequence[tuple[Entry, BatchContents]],
    ) -> list[Violation]:
        """Return what is wrong with the look-ups of some batches."""
        expected: list[tuple[int, int, bytes]] = []
        async with self._redis.pipeline(transaction=False) as pipe:
            for entry, content in batches:
                self._ask_ids(pipe, serial, campaign, entry, content, expected)
            found = await pipe.execute()
        size = int(campaign.get("bs", 1))
        faults = list(_misplaced(expected, found, size))
        expected.clear()
        async with self._redis.pipeline(transaction=False) as pipe:
            for entry, content in batches:
                self._ask_links(pipe, serial, entry, content, expected)
            found = await pipe.execute()
        return faults + list(_foreign(expected, found))

    async def strays(self, serial: str, campaign: Mapping[str, str]) -> list[Violation]:
        """Return a violation if the look-up holds more, or fewer, ids than there are people."""
        buckets, entries = int(campaign.get("xb", 1)), 0
        for first in range(0, buckets, _AT_ONCE):
            async with self._redis.pipeline(transaction=False) as pipe:
                for bucket in range(first, min(first + _AT_ONCE, buckets)):
                    pipe.hlen(f"cc:{serial}:x:{bucket}")
                entries += sum(await pipe.execute())
        recipients = int(campaign.get("n", 0))
        if entries == recipients:
            return []
        found = f"{entries} ids can be looked up, {recipients} recipients were taken in"
        return [Violation(3, "recipient_place", None, found)]

    def _ask_ids(
        self,
        pipe: "Redis",
        serial: str,
        campaign: Mapping[str, str],
        entry: Entry,
        content: BatchContents,
        expected: list[tuple[int, int, bytes]],
    ) -> None:
        buckets, size = int(campaign.get("xb", 1)), int(campaign.get("bs", 1))
        for index, recipient in enumerate(content.rows or ()):
            if index in entry.batch.forgotten:
                continue  # the id is gone; its digest stays, and is counted with the strays
            digest = self._campaigns.id_digest(serial, recipient.id)
            pipe.hget(f"cc:{serial}:x:{bucket_of(digest, buckets)}", digest)  # type: ignore[arg-type]
            place = str((entry.number - 1) * size + index).encode()
            expected.append((entry.number, index, place))

    def _ask_links(
        self,
        pipe: "Redis",
        serial: str,
        entry: Entry,
        content: BatchContents,
        expected: list[tuple[int, int, bytes]],
    ) -> None:
        owner = f"{serial}:{entry.number}".encode()
        for index, link in enumerate(content.links or ()):
            if index in entry.batch.forgotten:
                continue
            pipe.hget(*link_place(link_digest(self._vault, link)))  # type: ignore[arg-type]
            expected.append((entry.number, index, owner))


def _misplaced(
    expected: Sequence[tuple[int, int, bytes]], found: Sequence[bytes | None], size: int
) -> Iterator[Violation]:
    for (number, index, place), actual in zip(expected, found, strict=True):
        if actual is None or not actual.isdigit():
            words = f"the id of recipient {index + 1} cannot be looked up"
            yield Violation(3, "recipient_place", number, words)
        elif actual != place:
            batch, other = divmod(int(actual), size)
            words = (
                f"the id of recipient {index + 1} is looked up as recipient {other + 1}"
                f" of batch {batch + 1}"
            )
            yield Violation(3, "recipient_place", number, words)


def _foreign(
    expected: Sequence[tuple[int, int, bytes]], found: Sequence[bytes | None]
) -> Iterator[Violation]:
    for (number, index, owner), actual in zip(expected, found, strict=True):
        if actual is None:
            words = f"the link of recipient {index + 1} is not registered as used"
            yield Violation(3, "link_registered", number, words)
        elif actual != owner:
            serial, _, batch = actual.decode().partition(":")
            here = serial.encode() == owner.partition(b":")[0]
            place = f"batch {batch}" if here else f"batch {batch} of the campaign {serial}"
            words = f"the link of recipient {index + 1} belongs to {place}"
            yield Violation(4, "link_twice", number, words)
