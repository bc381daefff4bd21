"""Where a result goes: standard output, or a private file that is complete or not there."""

import contextlib
import io
import os
import secrets
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from pipeline.domain.errors import InputError


@contextlib.contextmanager
def opened_output(path: Path | None) -> Iterator[TextIO]:
    """
    Yield a UTF-8 stream to *path*, which is replaced in one step at the end, with mode 0600.

    Without a path it is standard output. Raises InputError if the file cannot be written; what
    was there before stays then.
    """
    if path is None:
        text = io.TextIOWrapper(sys.stdout.buffer, encoding="utf-8", newline="")
        try:
            yield text
        finally:
            # The stream is the process's, not ours to close.
            text.detach()
        return
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with _private(draft) as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except OSError as error:
        if error.filename not in {None, str(draft), draft}:
            raise
        msg = f"{path} cannot be written: {error.strerror or type(error).__name__}."
        raise InputError(msg) from error
    finally:
        draft.unlink(missing_ok=True)


def _private(path: Path) -> TextIO:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    return os.fdopen(descriptor, "w", encoding="utf-8", newline="")
