"""Reads small text files: the campaign file and the templates beside it."""

from pathlib import Path, PurePosixPath, PureWindowsPath

from pipeline.intake.files.lines import UnreadableError, refuse_binary

SIZE_LIMIT = 1_000_000
"""In bytes; no mailbox accepts a message of this size."""


class UnopenedError(UnreadableError):
    """There is no file at the path, or none that we may read."""


def read_text(path: Path, advice: str = "save it as UTF-8 text") -> str:
    """
    Return the text of a UTF-8 file, without byte order mark, lines ending in LF.

    *advice* says what to do about a file that is no text at all. Raises UnreadableError with what
    is wrong and what to do, without the file's name; UnopenedError if there is nothing to read.
    """
    data = _read(path)
    if len(data) > SIZE_LIMIT:
        msg = f"is larger than {SIZE_LIMIT:,} bytes; make it smaller"
        raise UnreadableError(msg)
    refuse_binary(data, advice)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        msg = f"holds the byte 0x{data[error.start]:02X}, which is not UTF-8; save it as UTF-8"
        raise UnreadableError(msg, line) from error
    return text.replace("\r\n", "\n")


def file_beside(path: Path, name: str) -> Path:
    """Return the file *name* in or below the folder of *path*; raises UnreadableError."""
    parts = (PurePosixPath(name), PureWindowsPath(name))
    if not name or "\0" in name or any(part.anchor or ".." in part.parts for part in parts):
        msg = "must name a file in or below the folder of the campaign file"
        raise UnreadableError(msg)
    return path.parent / name


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(SIZE_LIMIT + 1)
    except FileNotFoundError as error:
        msg = "does not exist; check the path"
        raise UnopenedError(msg) from error
    except IsADirectoryError as error:
        msg = "is a folder; name the file in it"
        raise UnopenedError(msg) from error
    except PermissionError as error:
        msg = "cannot be read with your permissions; change them"
        raise UnopenedError(msg) from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "its name cannot be used"
        msg = f"cannot be read: {reason}"
        raise UnopenedError(msg) from error
