"""
The Valkey that every command on this machine shares when no server is configured.

Two locks in the state directory:

* users.lock   held shared by every user for its life; held alone by the user that stops the server
* server.lock  held by the server process, by inheritance: free means that it is really gone,
               and only its holder removes what is left over, starts a server and hands it on
"""

import contextlib
import errno
import signal
import threading
import time
from pathlib import Path
from typing import Self
from urllib.parse import quote

from pipeline.domain.errors import UnavailableError
from pipeline.store.outages import STORE_ERRORS
from worker.valkey.file_lock import FileLock
from worker.valkey.restart_backoff import RestartBackoff
from worker.valkey.server import ValkeyServer

_PATIENCE_SECONDS = 20.0
_LOADING_SECONDS = 600.0  # with answers that it is reading its file
_POLL_SECONDS = 0.02

_SILENT = "does not answer"
_STILL_LOADING = "does not finish loading its data"
_STOPPED_LOADING = "stopped while it was loading its data"
_STOPPED_STARTING = "stopped while it was starting"
_STOPPED_SOON = "stopped soon after it was started"


class EmbeddedValkey:
    """
    One user of the embedded server; two instances in one process are two users.

    Blocking, and safe to call from several threads. Without a `release`, as after kill -9, the
    server goes on running, and the next user joins it. *patience* is how many seconds a server
    may stay without an answer, or go on after SIGTERM.
    """

    def __init__(self, state_dir: Path, *, patience: float = _PATIENCE_SECONDS) -> None:
        self._state_dir = state_dir.resolve()
        self._users = FileLock(self._state_dir / "users.lock")
        self._patience = patience
        self._server = ValkeyServer(self._state_dir)
        self._lock = threading.Lock()
        self._backoff = RestartBackoff()
        self._waits_for_room = False

    @property
    def url(self) -> str:
        """Where clients connect; valid after `start_or_join`, and across restarts."""
        return f"unix://{quote(str(self._server.socket_path))}"

    def start_or_join(self) -> str:
        """
        Return the URL of the running server, after starting it if need be.

        May be called again. Waits for *patience* (20 s), longer while the server says that it is
        loading its data. Raises UnavailableError with a sentence that says what to do.
        """
        with self._lock:
            try:
                self._join()
            except UnavailableError:
                self._users.unlock()
                raise
            except BaseException:  # Ctrl-C
                self._leave()
                raise
            return self.url

    def ensure(self) -> bool:
        """
        Start the server again if it is gone; return whether it had to be.

        Costs a few system calls while the server lives, so it may be called every second and
        after every connection error. Raises UnavailableError when a new start fails or the last
        one was in vain, as on a full disk; further calls then return False until a pause of 1 to
        30 s is over, or there is room on the disk.
        """
        with self._lock:
            if self._users.held and self._lives():
                if self._backoff.settled:
                    self._backoff.reset()
                return False
            if self._backoff.pausing and not self._room_was_made():
                return False
            try:
                started = self._start_again()
            except UnavailableError:
                self._backoff.fail()
                self._waits_for_room = not self._server.has_room()
                raise
            if started:
                self._backoff.start()
            return started

    @property
    def steady(self) -> bool:
        """Whether the server lives, and its last trouble that this user saw is a while ago."""
        return self._backoff.settled and self._lives()

    def explain(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        """Raise UnavailableError instead of *error* if a full disk is behind it; for `push`."""
        if isinstance(error, STORE_ERRORS) and self._server.is_full():
            raise self._problem(_STOPPED_SOON) from error

    def release(self) -> None:
        """
        Stop using the server, and stop it if nobody else uses it; may be called twice.

        Every acknowledged write is on disk already, so a server that does not heed SIGTERM
        for *patience* is killed. A fork of the user is a user too.
        """
        with self._lock:
            self._leave()

    def __enter__(self) -> Self:
        self.start_or_join()
        return self

    def __exit__(self, *_: object) -> None:
        self.release()

    def _start_again(self) -> bool:
        if self._backoff.in_vain():
            raise self._problem(_STOPPED_SOON)
        if not self._backoff.failing and not self._server.has_room():
            raise self._problem(_STOPPED_STARTING)
        return self._join()

    def _room_was_made(self) -> bool:
        return self._waits_for_room and self._server.has_room()

    def _join(self) -> bool:
        """Become a user of a server that is ready; return whether it had to be started."""
        try:
            self._prepare_state_dir()
            self._users.lock(seconds=3 * self._patience, shared=True)
            started = self._start_if_gone()
        except OSError as error:
            if error.errno in {errno.ENOSPC, errno.EDQUOT}:
                raise self._problem(_STOPPED_STARTING) from error
            msg = (
                f"the state directory {self._state_dir} cannot be used ({error.strerror}):"
                " make it writable, or set CLAIMCAST_STATE_DIR to another one"
            )
            raise UnavailableError(msg) from error
        self._await_loaded()
        return started

    def _prepare_state_dir(self) -> None:
        self._state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        if self._state_dir.stat().st_mode & 0o077:
            self._state_dir.chmod(0o700)

    def _server_lock(self) -> FileLock:
        return FileLock(self._state_dir / "server.lock")

    def _lives(self) -> bool:
        """Return whether the server lives, or somebody else is just about to start it."""
        try:
            with self._server_lock() as lock:
                return not lock.try_lock()
        except OSError:
            return False  # what is wrong with the directory is for a start to say

    def _start_if_gone(self) -> bool:
        """Return once the server answers, and whether this call started it."""
        started = False
        deadline = time.monotonic() + self._patience
        while self._server.answer() is None:
            with self._server_lock() as lock:
                if lock.try_lock():
                    if started:
                        raise self._problem(_STOPPED_STARTING)
                    self._server.start(lock.fd)
                    started = True
            if time.monotonic() > deadline:
                raise self._problem(_SILENT)
            time.sleep(_POLL_SECONDS)
        return started

    def _await_loaded(self) -> None:
        deadline = time.monotonic() + _LOADING_SECONDS
        silent_after = time.monotonic() + self._patience
        while (answer := self._server.answer()) is None or answer.startswith("LOADING"):
            now = time.monotonic()
            if answer is not None:
                silent_after = now + self._patience
            if not self._lives():
                raise self._problem(_STOPPED_LOADING)
            if now > min(silent_after, deadline):
                raise self._problem(_STILL_LOADING)
            time.sleep(_POLL_SECONDS)

    def _leave(self) -> None:
        held = self._users.held
        self._users.unlock()
        if held:
            # A state directory that cannot be locked any more (removed, read-only) is no
            # reason to fail at the very end.
            with contextlib.suppress(OSError), FileLock(self._users.path) as users:
                # Held alone until the server is gone, so that nobody joins a dying one.
                if users.try_lock():
                    self._stop()

    def _stop(self) -> None:
        for number in (signal.SIGTERM, signal.SIGKILL):
            if self._gone_after(number):
                return

    def _gone_after(self, number: signal.Signals) -> bool:
        deadline = time.monotonic() + self._patience
        sent_to = None
        with self._server_lock() as lock:
            while not lock.try_lock():
                # The id may not be written yet when the server has just been started.
                if self._server.pid != sent_to:
                    sent_to = self._server.pid
                    self._server.signal(number)
                if time.monotonic() > deadline:
                    return False
                time.sleep(_POLL_SECONDS)
        return True

    def _problem(self, what: str) -> UnavailableError:
        if what != _SILENT and self._server.is_full():
            return UnavailableError(
                f"the disk of {self._state_dir} is full, and the embedded Valkey stops rather than"
                " lose a write: free some space; what waits then goes on by itself,"
                " and nothing is lost"
            )
        pid = self._server.pid
        remedy = "mend what its log says, then try again"
        if what == _STOPPED_SOON:
            remedy = "it ended by itself or was killed, and will be started again in a while"
        if what == _SILENT and pid is not None:
            remedy = f"end it with `kill -9 {pid}` and try again (no data is lost)"
        return UnavailableError(
            f"the embedded Valkey in {self._state_dir} {what}: {remedy};"
            f" its log ends: {self._server.last_words()}"
        )
