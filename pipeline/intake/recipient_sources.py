"""The sources of a campaign's recipients: an open file, or a list in JSON."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol, TextIO

from pipeline.domain.campaign import Campaign
from pipeline.domain.errors import InputError
from pipeline.intake.files.problems import Problem
from pipeline.intake.recipients import Intake, check_recipients, read_recipients

_SAMPLE = 1 << 16


class RecipientSource(Protocol):
    """Recipients that can be read from their beginning, once."""

    @property
    def problem(self) -> Problem | None:
        """Why there is nothing to read, if so."""
        ...

    @property
    def expected_rows(self) -> int:
        """About how many rows there are; asking changes nothing."""
        ...

    @property
    def share_read(self) -> float:
        """How much of it was read, from 0 to 1."""
        ...

    def rows(
        self, campaign: Campaign, *, keep: int | None, rejected: TextIO | None = None
    ) -> Intake:
        """
        Return the rows as `pipeline.intake.recipients.read_recipients` does.

        Raises InputError if there is a `problem`.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class RecipientsFile:
    """
    CSV or NDJSON as an open, seekable file; without a stream, `problem` says why.

    `name` stands for it in problems, `path` is where it lies, `size` its bytes.
    """

    name: str
    path: Path | None = None
    stream: BinaryIO | None = None
    size: int = 0
    problem: Problem | None = None

    @property
    def expected_rows(self) -> int:
        """About how many rows there are, going by the first ones; never changes the position."""
        if self.stream is None:
            return 0
        place = self.stream.tell()
        sample = self.stream.read(_SAMPLE)
        self.stream.seek(place)
        return self.size * sample.count(b"\n") // len(sample) if sample else 0

    @property
    def share_read(self) -> float:
        position = self.stream.tell() if self.stream else 0
        return position / self.size if self.size else 1.0

    def rows(
        self, campaign: Campaign, *, keep: int | None, rejected: TextIO | None = None
    ) -> Intake:
        if self.stream is None:
            raise InputError(str(self.problem))
        return read_recipients(self.stream, campaign, name=self.name, keep=keep, rejected=rejected)


@dataclass(frozen=True, slots=True)
class RecipientsList:
    """The *items* of a decoded JSON list; in problems, `line` counts them from 1."""

    items: Sequence[object]
    problem: Problem | None = None

    @property
    def expected_rows(self) -> int:
        return len(self.items)

    @property
    def share_read(self) -> float:
        return 1.0  # nothing is waited for

    def rows(
        self, campaign: Campaign, *, keep: int | None, rejected: TextIO | None = None
    ) -> Intake:
        return check_recipients(self.items, campaign, keep=keep, rejected=rejected)
