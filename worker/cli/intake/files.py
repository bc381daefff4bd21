"""The two files that a command is given: the campaign and its recipients."""

import os
import shutil
import stat
import sys
import tempfile
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import click

from pipeline.domain.campaign import Campaign
from pipeline.intake.campaign_file import load_campaign, stand_in
from pipeline.intake.files.lines import UnreadableError
from pipeline.intake.files.problems import Problem
from pipeline.intake.files.text_files import read_text
from pipeline.intake.files.toml_lines import key_lines, line_of

_SAMPLE = 1 << 16


@dataclass(frozen=True, slots=True)
class CampaignFile:
    """A campaign file as it was read: the campaign, or else what is wrong with it."""

    path: Path
    campaign: Campaign | None
    problems: tuple[Problem, ...]

    @classmethod
    def read(cls, path: Path) -> "CampaignFile":
        campaign, problems = load_campaign(path)
        return cls(path, campaign, tuple(problems))

    def problem(self, key: str, message: str) -> Problem:
        """Return a problem with the section or key *key* of a file that was read."""
        line = line_of(key_lines(read_text(self.path)), tuple(key.split(".")))
        return Problem(where=self.path.name, line=line, field=key, message=message)

    def stand_in(self) -> Campaign | None:
        """
        Return a campaign with what is sound of the file, so that the rows can be judged too.

        None if it cannot be read, or as `pipeline.intake.campaign_file.stand_in` says.
        """
        try:
            data = tomllib.loads(read_text(self.path))
        except (UnreadableError, ValueError, RecursionError):
            return None
        return stand_in(data)


@dataclass(frozen=True, slots=True, kw_only=True)
class RecipientsFile:
    """The recipients as an open, seekable file; without a stream, `problem` says why."""

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


class RecipientsType(click.ParamType[RecipientsFile]):
    """
    Opens the recipients while the command line is read, and `-` as standard input.

    What cannot be sought in is copied to a file without a name. A file that cannot be opened is
    not a mistake in the command line: it is told together with all other problems.
    """

    name = "recipients"

    def convert(
        self,
        value: object,
        param: click.Parameter | None,  # noqa: ARG002 - click's signature
        ctx: click.Context | None,
    ) -> RecipientsFile:
        if isinstance(value, RecipientsFile):
            return value
        text = str(value)
        name = "standard input" if text == "-" else Path(text).name or text
        try:
            stream = _opened(text)
        except (OSError, ValueError) as error:
            return RecipientsFile(name=name, problem=Problem(where=text, message=_why(error)))
        if ctx is not None:
            ctx.call_on_close(stream.close)
        path = None if text == "-" else Path(text)
        size = stream.seek(0, 2)
        stream.seek(0)
        return RecipientsFile(name=name, path=path, stream=stream, size=size)


def _opened(name: str) -> BinaryIO:
    if name == "-":
        return _spooled(sys.stdin.buffer)
    stream = Path(name).open("rb")  # noqa: SIM115 - closed with the command
    if stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
        return stream
    with stream:
        return _spooled(stream)


def _spooled(stream: BinaryIO) -> BinaryIO:
    # It holds people's addresses, so nobody else may find it: it has no name from the start.
    spool: BinaryIO = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the command
    try:
        shutil.copyfileobj(stream, spool)
    except BaseException:
        spool.close()
        raise
    return spool


def _why(error: OSError | ValueError) -> str:
    match error:
        case FileNotFoundError():
            return "does not exist; check the path"
        case IsADirectoryError():
            return "is a folder; name the file in it"
        case PermissionError():
            return "cannot be read with your permissions; change them"
        case _:
            reason = getattr(error, "strerror", None) or "its name cannot be used"
            return f"cannot be read: {reason}"
