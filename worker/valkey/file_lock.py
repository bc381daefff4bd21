"""Locks on files that the system drops with the process that holds them, even after kill -9."""

import fcntl
import os
import time
from pathlib import Path
from typing import Self

from pipeline.domain.errors import UnavailableError

_POLL_SECONDS = 0.02


class FileLock:
    """
    One lock on *path* (flock: held by an open file, so two of them in one process exclude too).

    The file is made when it is first needed and never removed: removing a lock file while
    somebody waits for it gives two holders.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._fd: int | None = None

    @property
    def held(self) -> bool:
        return self._fd is not None

    @property
    def fd(self) -> int:
        """The open file that holds the lock, to be inherited; only while it is held."""
        if self._fd is None:
            msg = f"{self.path.name} is not locked"
            raise RuntimeError(msg)
        return self._fd

    def try_lock(self, *, shared: bool = False) -> bool:
        """Take the lock if it is free at once; a lock that is already held stays as it is."""
        if self._fd is not None:
            return True
        fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_NB | (fcntl.LOCK_SH if shared else fcntl.LOCK_EX))
        except BlockingIOError:
            os.close(fd)
            return False
        except BaseException:
            os.close(fd)
            raise
        self._fd = fd
        return True

    def lock(self, *, seconds: float, shared: bool = False) -> None:
        """Take the lock, waiting up to *seconds*; raises UnavailableError after that."""
        deadline = time.monotonic() + seconds
        while not self.try_lock(shared=shared):
            if time.monotonic() > deadline:
                msg = (
                    f"another claimcast process has held {self.path} for {seconds:.0f} s;"
                    " try again when it is done, or end it"
                )
                raise UnavailableError(msg)
            time.sleep(_POLL_SECONDS)

    def unlock(self) -> None:
        """
        Close the file; may be called twice.

        Nothing but the close: where the open file was inherited (a server, a fork), the lock
        stays with the process that still has it.
        """
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.unlock()
