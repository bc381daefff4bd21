"""Opens the sealed blobs of a campaign for the recount; one that does not open is a finding."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from pydantic import ValidationError

from pipeline.domain.campaign import Campaign
from pipeline.domain.models import Recipient
from pipeline.domain.vault import SealError, Vault, is_in_clear
from pipeline.store.batch_pages import StoredBatch
from pipeline.store.campaigns import CampaignStore
from pipeline.store.formats.recipient_codec import ERASED_RECIPIENT, decode_batch
from pipeline.store.formats.resends import open_resends
from pipeline.store.formats.sealed_batch import decode_links
from pipeline.store.keys import (
    definition_purpose,
    evidence_purpose,
    links_purpose,
    recipients_purpose,
)
from pipeline.verification.batch_invariants import Violation
from pipeline.views.batch_view import BatchView


@dataclass(slots=True)
class SealedContents:
    """The contents of the blobs of a batch; None where a blob is absent or cannot be opened."""

    rows: Sequence[Recipient] | None = None
    links: Sequence[str] | None = None
    violations: list[Violation] = field(default_factory=list)
    _has_rows: bool = False
    _has_links: bool = False
    _has_evidence: bool = False
    _has_resends: bool = False

    def mismatches(self, entry: BatchView) -> Iterator[Violation]:
        """Yield where the blobs and the ledger of a batch differ."""
        if entry.terms.purging:
            yield from self._leftovers(entry)
            return
        if not self._has_rows:
            yield Violation(3, "recipients", entry.number, "its recipients are gone")
        elif self.rows is not None and len(self.rows) != entry.batch.size:
            found = f"{len(self.rows)} recipients rest here, {entry.batch.size} were taken in"
            yield Violation(3, "recipients", entry.number, found)
        elif self.rows is not None:
            yield from _misplaced_erasures(self.rows, entry)
        if self._has_links != bool(entry.batch.fulfilled_ms):
            found = "links rest here" if self._has_links else "its links are gone"
            yield Violation(2, "links_stored", entry.number, f"{found}, and the ledger differs")

    def _leftovers(self, entry: BatchView) -> Iterator[Violation]:
        """Yield what a completed purge should have removed and did not."""
        kept = [
            name
            for name, there in (
                ("recipients", self._has_rows),
                ("links", self._has_links),
                ("evidence", self._has_evidence),
                ("corrections", self._has_resends),
            )
            if there
        ]
        if kept and entry.terms.purged:
            found = f"it was purged, but its {' and '.join(kept)} still rest here"
            yield Violation(6, "purged", entry.number, found)


def _misplaced_erasures(rows: Sequence[Recipient], entry: BatchView) -> Iterator[Violation]:
    for index, recipient in enumerate(rows):
        erased = index in entry.batch.erased
        if erased and recipient != ERASED_RECIPIENT:
            found = f"recipient {index + 1} was forgotten, but their data still rests here"
            yield Violation(6, "forgotten", entry.number, found)
        elif not erased and not recipient.id:
            found = f"recipient {index + 1} is gone without having been forgotten"
            yield Violation(3, "recipients", entry.number, found)


class SealedContentsReader:
    """Opens the sealed blobs of a campaign for the recount, and says which cannot be opened."""

    def __init__(self, campaigns: CampaignStore, vault: Vault) -> None:
        self._campaigns = campaigns
        self._vault = vault

    async def definition(self, serial: str) -> tuple[Campaign | None, Violation | None]:
        """Return the campaign's definition, or None and the violation that says why."""
        sealed = await self._campaigns.sealed_definition(serial)
        plain, violation = self._open(sealed or b"", definition_purpose(serial), None)
        if plain is None:
            return None, violation
        try:
            return Campaign.model_validate_json(plain), None
        except ValidationError:
            return None, Violation(5, "definition", None, "the campaign's definition is damaged")

    def open(self, serial: str, stored: StoredBatch) -> SealedContents:
        """Open the blobs of a batch; `violations` of the result says what is wrong with them."""
        number = stored.number
        found = SealedContents(
            _has_rows=stored.rows is not None,
            _has_links=stored.links is not None,
            _has_evidence=stored.evidence is not None,
            _has_resends=bool(stored.resends),
        )
        rows = self._part(found, stored.rows, recipients_purpose(serial, number), number)
        links = self._part(found, stored.links, links_purpose(serial, number), number)
        self._part(found, stored.evidence, evidence_purpose(serial, number), number)
        found.links = None if links is None else decode_links(links)
        try:
            found.rows = None if rows is None else decode_batch(rows)
        except (ValueError, KeyError, TypeError):
            damaged = Violation(3, "recipients", number, "its recipients cannot be read")
            found.violations.append(damaged)
        self._check_resends(found, serial, stored)
        return found

    def _check_resends(self, found: SealedContents, serial: str, stored: StoredBatch) -> None:
        if found.rows is None:
            return
        try:
            open_resends(self._vault, serial, found.rows, stored.resends)
        except SealError as error:
            found.violations.append(Violation(3, "blob", stored.number, str(error)))
        except (ValueError, KeyError, TypeError, IndexError):
            damaged = Violation(3, "resends", stored.number, "its resends cannot be read")
            found.violations.append(damaged)

    def _part(
        self, found: SealedContents, sealed: bytes | None, purpose: str, number: int
    ) -> bytes | None:
        if sealed is None:
            return None
        plain, violation = self._open(sealed, purpose, number)
        if violation is not None:
            found.violations.append(violation)
        return plain

    def _open(
        self, sealed: bytes, purpose: str, number: int | None
    ) -> tuple[bytes | None, Violation | None]:
        kind = purpose.partition(":")[0]
        if sealed and is_in_clear(sealed):
            return None, Violation(6, "sealed", number, f"the blob of {kind} is in clear")
        try:
            return self._vault.open(sealed, purpose), None
        except (SealError, ValueError) as error:
            # The text names purposes (kind, campaign, batch), never what was sealed.
            return None, Violation(3, "blob", number, str(error))
