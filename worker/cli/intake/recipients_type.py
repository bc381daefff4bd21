"""The recipients as they are named on the command line: a file, a pipe, standard input."""

import os
import shutil
import stat
import sys
import tempfile
from pathlib import Path
from typing import BinaryIO

import click

from pipeline.intake.files.problems import Problem
from pipeline.intake.recipient_sources import RecipientsFile


class RecipientsType(click.ParamType[RecipientsFile]):
    """
    Opens the recipients while the command line is read, and `-` as standard input.

    What cannot be sought in is copied to a file without a name. A file that cannot be opened is
    not a mistake in the command line: it is reported together with all other problems.
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
