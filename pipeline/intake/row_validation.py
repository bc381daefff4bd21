"""Decides which rows are accepted: each by itself, and compared with all rows before it."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field

from pipeline.domain.campaign import Campaign
from pipeline.domain.models import ADDRESS_FIELD, Recipient
from pipeline.intake.duplicates import DuplicateIndex, IndexedValue
from pipeline.intake.fields import Fault, recipient_of, unreachable
from pipeline.intake.files.columns import STANDARD, RawRow


@dataclass(slots=True)
class ValidatedRow:
    """
    A row, its recipient, and what is wrong with it.

    `skipped` rows are sound but repeat an address under `duplicates = "skip"`. `addresses` pairs a
    field with its digest.
    """

    raw: RawRow
    recipient: Recipient
    faults: list[Fault]
    id_digest: int | None = None
    addresses: list[tuple[str, int]] = field(default_factory=list)
    skipped: bool = False

    def indexed_values(self) -> Iterator[IndexedValue]:
        if self.id_digest is not None:
            yield self.id_digest, self.raw.line
        for _, digest in self.addresses:
            yield digest, self.raw.line


_NOBODY = Recipient(id="")


class RowValidator:
    """
    Validates the rows of one file in their order.

    With *leave_out* the campaign goes on without faulty rows, and a faulty row must not take an id
    or an address away from a later row; otherwise every repetition is reported as a fault. Rows
    that lack one of the templates' *variables* get an empty value: in JSON null and a missing key
    mean the same.
    """

    def __init__(
        self,
        campaign: Campaign,
        duplicates: DuplicateIndex,
        *,
        leave_out: bool,
        variables: Collection[str] = (),
        need_address: bool = True,
    ) -> None:
        self._duplicates = duplicates
        self._variables = [name for name in variables if name not in STANDARD]
        self._need_address = need_address
        self._channels = campaign.delivery.channels
        self._duplicate_policy = campaign.delivery.duplicates
        self._leave_out = leave_out or self._duplicate_policy == "skip"
        self._unique_fields: tuple[str, ...] = ()
        if self._duplicate_policy != "allow":
            fields = (ADDRESS_FIELD[channel] for channel in self._channels)
            self._unique_fields = tuple(name for name in fields if name != "id")  # always unique

    def validate(self, rows: Sequence[RawRow]) -> list[ValidatedRow]:
        """Return the next *rows*, each with its faults; call once for each row of the file."""
        validated = [self._validate_row(row) for row in rows]
        compared = [row for row in validated if not (row.faults and self._leave_out)]
        indexed_values: list[IndexedValue] = []
        for row in compared:
            indexed_values += row.indexed_values()
        # Nearly always nothing repeats; then the order within the batch does not matter.
        if not self._duplicates.add_all_new(indexed_values):
            for row in compared:
                self._check_repeats(row)
        return validated

    def _validate_row(self, raw: RawRow) -> ValidatedRow:
        if raw.fault:
            return ValidatedRow(raw, _NOBODY, [Fault(None, raw.fault)])
        for name in self._variables:
            raw.values.setdefault(name, "")
        recipient, faults = recipient_of(raw.values)
        if self._need_address:
            faults.extend(unreachable(recipient, self._channels, faults))
        row = ValidatedRow(raw, recipient, faults)
        if recipient.id:
            row.id_digest = self._duplicates.digest("id", recipient.id)
        for name in self._unique_fields:
            # Whole addresses, without regard to case: no two people differ only by case.
            if address := getattr(recipient, name).casefold():
                row.addresses.append((name, self._duplicates.digest(name, address)))
        return row

    def _check_repeats(self, row: ValidatedRow) -> None:
        if row.id_digest is not None:
            first = self._duplicates.add(row.id_digest, row.raw.line)
            if first is not None:
                row.faults.append(Fault("id", f"is the same as on line {first}; make it unique"))
        if row.faults and self._leave_out:
            return
        if self._duplicate_policy == "skip":
            row.skipped = any(
                self._duplicates.find(digest) is not None for _, digest in row.addresses
            )
        if not row.skipped:
            self._check_addresses(row)

    def _check_addresses(self, row: ValidatedRow) -> None:
        for name, digest in row.addresses:
            first = self._duplicates.add(digest, row.raw.line)
            if first is not None:
                message = (
                    f"is the same as on line {first}; remove one of the rows, or set "
                    'delivery.duplicates to "skip" or "allow"'
                )
                row.faults.append(Fault(name, message))
