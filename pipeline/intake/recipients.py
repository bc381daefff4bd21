"""Turns a file or a list of recipients into checked rows, as a stream in little memory."""

import hashlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from typing import BinaryIO, NamedTuple, TextIO

from pipeline.domain.campaign import Campaign
from pipeline.domain.models import ADDRESS_FIELD, ChannelName, Recipient
from pipeline.intake.duplicates import DuplicateIndex
from pipeline.intake.file_checks import (
    ListFinding,
    over_budget,
    unknown_variables,
    unreachable_channels,
)
from pipeline.intake.files.columns import RawRow
from pipeline.intake.files.lines import UnreadableError
from pipeline.intake.files.ndjson_source import ListSource
from pipeline.intake.files.problems import PROBLEMS_SHOWN, Problem, ProblemLog
from pipeline.intake.files.sources import FileFormat, Source, open_source
from pipeline.intake.rejected import RejectedRows
from pipeline.intake.row_validation import RowValidator, ValidatedRow
from pipeline.intake.template_checks import needed_columns
from pipeline.store.formats.recipient_codec import canonical

_ROWS_AT_ONCE = 100  # as many as an order has: reading them takes about as long as a write


class RecipientRow(NamedTuple):
    """A recipient that was accepted, and the line it begins on."""

    line: int
    recipient: Recipient


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """
    What was read: rows = accepted + skipped + rejected.

    `skipped` rows repeat an address under `duplicates = "skip"`, `rejected` ones have a problem.
    `problem_count` counts also the problems that were not kept; `fatal_count` of them concern
    the list as a whole, so that leaving rows out does not cure them. `digest` is the SHA-256 of
    the accepted rows in their order, the same for the same content in another format or order
    of columns.
    """

    rows: int
    accepted: int
    skipped: int
    rejected: int
    problems: tuple[Problem, ...]
    problem_count: int
    fatal_count: int
    reachable: dict[ChannelName, int]
    digest: str


def read_recipients(
    stream: BinaryIO,
    campaign: Campaign,
    *,
    name: str,
    file_format: FileFormat | None = None,
    keep: int | None = PROBLEMS_SHOWN,
    rejected: TextIO | None = None,
) -> "Intake":
    """
    Return the rows of a CSV or NDJSON *stream*, called *name* in problems.

    Without a *file_format* the extension of *name*, or the first character, decides. The first
    *keep* problems are kept (None: all). Rows with a problem are written to *rejected*, where
    given, for a campaign that goes on without them.
    """
    return Intake(
        lambda: open_source(stream, name=name, file_format=file_format),
        campaign,
        name=name,
        keep=keep,
        rejected=rejected,
    )


def check_recipients(
    items: Iterable[object],
    campaign: Campaign,
    *,
    name: str = "recipients",
    keep: int | None = PROBLEMS_SHOWN,
    rejected: TextIO | None = None,
) -> "Intake":
    """
    Return the rows of a decoded JSON list; a problem's line is the entry, from 1.

    *keep* and *rejected* as of `read_recipients`.
    """
    return Intake(
        lambda: ListSource(items, name=name), campaign, name=name, keep=keep, rejected=rejected
    )


class Intake:
    """
    Iterate it once, to the end, for the accepted rows; `summary` is final then.

    Problems are collected, not raised: a caller that wants all rows or none checks `problem_count`
    before committing. Raises UnavailableError if the temporary directory is full.
    """

    def __init__(
        self,
        open_rows: Callable[[], Source],
        campaign: Campaign,
        *,
        name: str,
        keep: int | None = PROBLEMS_SHOWN,
        rejected: TextIO | None = None,
    ) -> None:
        self._open = open_rows
        self._campaign = campaign
        self._name = name
        self._log = ProblemLog(keep)
        self._output = rejected
        self._needed = needed_columns(campaign)
        self._rows = self._accepted = self._skipped = self._rejected = self._fatal = 0
        self._reachable = dict.fromkeys(campaign.delivery.channels, 0)
        self._content = hashlib.sha256()

    @property
    def problem_count(self) -> int:
        """Return how many problems were found so far."""
        return self._log.total

    @property
    def fatal_count(self) -> int:
        """Return how many of the problems leaving rows out does not cure."""
        return self._fatal

    @property
    def summary(self) -> Summary:
        return Summary(
            rows=self._rows,
            accepted=self._accepted,
            skipped=self._skipped,
            rejected=self._rejected,
            problems=tuple(self._log.kept),
            problem_count=self._log.total,
            fatal_count=self._fatal,
            reachable=dict(self._reachable),
            digest=self._content.hexdigest(),
        )

    def __iter__(self) -> Iterator[RecipientRow]:
        try:
            source = self._open()
            with DuplicateIndex() as duplicates:
                yield from self._read(source, self._row_validator(source, duplicates))
        except UnreadableError as error:
            self._fail([Problem(where=self._name, line=error.line, message=str(error))])

    def _row_validator(self, source: Source, duplicates: DuplicateIndex) -> RowValidator:
        addresses = {ADDRESS_FIELD[channel] for channel in self._campaign.delivery.channels}
        return RowValidator(
            self._campaign,
            duplicates,
            leave_out=self._output is not None,
            variables=self._needed,
            need_address=not source.has_header or not addresses.isdisjoint(source.provided),
        )

    def _read(self, source: Source, validator: RowValidator) -> Iterator[RecipientRow]:
        if source.has_header:
            self._check_columns(source)
        rejected = RejectedRows(self._output, source.columns) if self._output else None
        for batch in _batches(source):
            for row in validator.validate(batch):
                self._rows += 1
                if row.faults:
                    self._reject(row, rejected)
                elif row.skipped:
                    self._skipped += 1
                else:
                    yield self._accept(row)
        if not source.has_header:
            self._check_columns(source)
        if not source.problems:
            self._check_whole(source)

    def _accept(self, row: ValidatedRow) -> RecipientRow:
        self._accepted += 1
        self._content.update(canonical(row.recipient))
        for channel in self._reachable:
            if row.recipient.address(channel):
                self._reachable[channel] += 1
        return RecipientRow(row.raw.line, row.recipient)

    def _reject(self, row: ValidatedRow, rejected: RejectedRows | None) -> None:
        self._log.add(
            Problem(where=self._name, line=row.raw.line, field=field, message=message)
            for field, message in row.faults
        )
        self._rejected += 1
        if rejected is not None:
            rejected.write(row)

    def _check_columns(self, source: Source) -> None:
        self._fail(source.problems)
        judged = not source.problems if source.has_header else self._rows
        if judged:
            self._fail(self._problems(unknown_variables(self._needed, source.provided)))

    def _check_whole(self, source: Source) -> None:
        if not self._rows:
            self._fail(self._problems([(None, "holds no recipients; add one row for each")]))
            return
        self._fail(
            self._problems(
                chain(
                    unreachable_channels(
                        self._reachable, source.provided, accepted=self._accepted
                    ),
                    over_budget(self._campaign.reward, self._accepted),
                )
            )
        )

    def _problems(self, findings: Iterable[ListFinding]) -> Iterator[Problem]:
        for field, message in findings:
            yield Problem(where=self._name, field=field, message=message)

    def _fail(self, problems: Iterable[Problem]) -> None:
        before = self._log.total
        self._log.add(problems)
        self._fatal += self._log.total - before


def _batches(source: Source) -> Iterator[list[RawRow]]:
    """Yield all rows in lists; rows read before an UnreadableError come before it."""
    batch: list[RawRow] = []
    try:
        for row in source:
            batch.append(row)
            if len(batch) == _ROWS_AT_ONCE:
                yield batch
                batch = []
    except UnreadableError:
        yield batch
        raise
    yield batch
