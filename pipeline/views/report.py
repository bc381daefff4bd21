"""The report of a campaign: one row per delivery in intake order, a page of batches at a time."""

import csv
import json
import re
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, TextIO

from pipeline.domain.clock import iso
from pipeline.domain.models import Recipient
from pipeline.domain.resend_history import ResendHistory, address_of
from pipeline.domain.vault import Vault
from pipeline.store.batch_pages import BatchPages, Page, StoredBatch
from pipeline.store.formats.recipient_codec import ERASED_RECIPIENT
from pipeline.store.formats.records import DeliveryRecord
from pipeline.store.formats.resends import open_resends
from pipeline.store.formats.sealed_batch import open_links, open_recipients
from pipeline.store.keys import LINK_REFERENCE_DIGEST
from pipeline.views.batch_view import BatchView, CampaignTerms, understood
from pipeline.views.delivery_times import sent_at, settled_at

COLUMNS = (
    "recipient_id",
    "channel",
    "status",
    "code",
    "attempts",
    "sent_at",
    "settled_at",
    "po_number",
    "order_id",
    "link_ref",
)
_FORMULA = re.compile(r"[=+\-@\t\r]")
_NUMBER = re.compile(r"[+-]\d+")

ReportRow = dict[str, str | int | None]


@dataclass(frozen=True, slots=True)
class Disclosure:
    """What a report reveals: `link` and `address` add one column each."""

    links: bool = False
    addresses: bool = False

    def __bool__(self) -> bool:
        return self.links or self.addresses

    def columns(self) -> tuple[str, ...]:
        """Return the names of the added columns."""
        return COLUMNS + ("link",) * self.links + ("address",) * self.addresses


def link_ref(vault: Vault, link: str) -> str:
    """Return the reference that stands for a link in reports and logs: 16 hex digits."""
    return vault.digest(LINK_REFERENCE_DIGEST, link.encode(), 8).hex()


class Report:
    """Reads the rows of one campaign; each page of batches is as it stood at one moment."""

    def __init__(self, pages: BatchPages, vault: Vault, reveal: Disclosure | None = None) -> None:
        self._pages = pages
        self._vault = vault
        self._reveal = reveal or Disclosure()

    async def rows(self, serial: str, batches: int) -> AsyncIterator[ReportRow]:
        """
        Yield a row per delivery; *batches* is how many the campaign has.

        The rows of erased or purged people stay, without id, link and address.
        """
        async for page in self._pages.pages(serial, batches):
            for row in self._page(serial, page):
                yield row

    def _page(self, serial: str, page: Page) -> Iterator[ReportRow]:
        terms, epoch = CampaignTerms.of(page.campaign), page.campaign.epoch_ms
        for stored in page.batches:
            entry = understood(stored, terms)
            people, links = self._people(serial, stored, entry), self._links(serial, stored)
            for index, records in entry.people():
                for record in records:
                    yield self._row(
                        entry, people[index], links[index] if links else None, record, epoch
                    )

    def _people(
        self, serial: str, stored: StoredBatch, entry: BatchView
    ) -> Sequence[tuple[Recipient, ResendHistory]]:
        if stored.rows is None and entry.terms.purging:
            return [(ERASED_RECIPIENT, ())] * entry.batch.size
        rows = open_recipients(self._vault, serial, stored.number, stored.rows)
        resends = open_resends(self._vault, serial, rows, stored.resends)
        return [(recipient, resends.get(index, ())) for index, recipient in enumerate(rows)]

    def _links(self, serial: str, stored: StoredBatch) -> Sequence[str]:
        return open_links(self._vault, serial, stored.number, stored.links)

    def _row(
        self,
        entry: BatchView,
        person: tuple[Recipient, ResendHistory],
        link: str | None,
        record: DeliveryRecord,
        epoch: int,
    ) -> ReportRow:
        row: ReportRow = {
            "recipient_id": person[0].id,
            "channel": record.channel.value,
            "status": record.status.value,
            "code": record.code or None,
            "attempts": record.attempt,
            "sent_at": iso(sent_at(record, epoch)),
            "settled_at": iso(settled_at(record, epoch)),
            "po_number": entry.batch.order.po_number,
            "order_id": entry.batch.order.id,
            "link_ref": link_ref(self._vault, link) if link else None,
        }
        if self._reveal.links:
            row["link"] = link or None
        if self._reveal.addresses:
            row["address"] = address_of(*person, record.channel, record.resend_number)
        return row


async def write_report(
    rows: AsyncIterator[ReportRow],
    out: TextIO,
    file_format: Literal["csv", "json"],
    reveal: Disclosure,
) -> int:
    """
    Write all rows and return how many; little memory is used, however many there are.

    CSV has a header, LF line ends, and nothing where there is no value; a text that a spreadsheet
    would take for a formula gets a `'` in front, and a CR becomes a space. JSON, one array with a
    row per line, is exact.
    """
    if file_format == "csv":
        return await _write_csv(rows, out, reveal.columns())
    return await _write_json(rows, out)


async def _write_csv(rows: AsyncIterator[ReportRow], out: TextIO, columns: Sequence[str]) -> int:
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(columns)
    number = 0
    async for row in rows:
        writer.writerow([_escape_formula(row[column]) for column in columns])
        number += 1
    return number


async def _write_json(rows: AsyncIterator[ReportRow], out: TextIO) -> int:
    number = 0
    async for row in rows:
        out.write(",\n" if number else "[\n")
        out.write(json.dumps(row, ensure_ascii=False))
        number += 1
    out.write("\n]\n" if number else "[]\n")
    return number


def _escape_formula(value: str | int | None) -> str | int | None:
    """Return a cell that no spreadsheet evaluates; a signed number is harmless."""
    if not isinstance(value, str):
        return value
    formula = _FORMULA.match(value) and not _NUMBER.fullmatch(value)
    # The csv module leaves a lone CR unquoted, and readers take it for the end of the row.
    return ("'" if formula else "") + value.replace("\r", " ")
