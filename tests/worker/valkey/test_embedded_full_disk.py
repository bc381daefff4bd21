"""A server whose disk is full ends at its next write, and is started again and again."""

import contextlib
import os
import resource
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from redis import Redis, RedisError

from pipeline.domain.errors import UnavailableError
from tests.support.clock import Clock
from tests.support.waiting import wait_until_sync
from worker.valkey.embedded import EmbeddedValkey
from worker.valkey.file_lock import FileLock
from worker.valkey.server import ValkeyServer

FULL = r"the disk of .*state is full, .*free some space; .* nothing is lost"
A_PAUSE = 31.0


@pytest.fixture
def state_dir(tmp_path: Path) -> Iterator[Path]:
    state_dir = tmp_path / "state"
    state_dir.mkdir(mode=0o700)
    yield state_dir
    if not gone(state_dir):
        os.kill(pid_of(state_dir), signal.SIGKILL)
        wait_until_sync(lambda: gone(state_dir))


@pytest.fixture
def small_disk(state_dir: Path) -> Iterator[Path]:
    """A disk of its own for the state directory, where the system lets us have one."""
    mount = ["mount", "-t", "tmpfs", "-o", "size=8m,mode=700", "tmpfs", str(state_dir)]
    try:
        subprocess.run(mount, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("a disk can be mounted by root only")
    yield state_dir
    subprocess.run(["umount", "--lazy", str(state_dir)], check=True)


def gone(state_dir: Path) -> bool:
    with FileLock(state_dir / "server.lock") as lock:
        return lock.try_lock()


def pid_of(state_dir: Path) -> int:
    pid = ValkeyServer(state_dir).pid
    assert pid is not None
    return pid


@contextlib.contextmanager
def room_for(state_dir: Path, more: int) -> Iterator[None]:
    """Let the server, and those that this process starts, write *more* bytes to their file."""
    files = (state_dir / "valkey" / "appendonlydir").iterdir()
    limit = max(file.stat().st_size for file in files) + more
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    for pid in (pid_of(state_dir), os.getpid()):
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (limit, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def write(client: "Redis", name: str) -> None:
    client.set(name, b"x" * 1000)


def write_in_vain(server: EmbeddedValkey, state_dir: Path) -> None:
    with Redis.from_url(server.url) as client, pytest.raises(RedisError):
        write(client, "lost")
    wait_until_sync(lambda: gone(state_dir))


def test_on_a_full_disk_it_ends_and_is_started_again_until_there_is_room(
    state_dir: Path, clock: Clock
) -> None:
    with EmbeddedValkey(state_dir) as server:
        with Redis.from_url(server.url) as client:
            for number in range(300):  # far more than other files of this process
                write(client, f"kept-{number}")
        with room_for(state_dir, 10):
            write_in_vain(server, state_dir)
            assert server.ensure(), "at first it is started at once"
            write_in_vain(server, state_dir)
            with pytest.raises(UnavailableError, match=FULL):
                server.ensure()
            assert not server.ensure(), "it pauses"
            assert not server.steady
        clock.now += A_PAUSE
        assert server.ensure()
        with Redis.from_url(server.url) as client:
            write(client, "last")
            assert client.dbsize() == 301
        assert not server.steady, "it has yet to last"


def test_a_command_that_lost_the_server_to_a_full_disk_says_so(state_dir: Path) -> None:
    with EmbeddedValkey(state_dir) as server:
        server.explain(RedisError, RedisError("of another kind"), None)
        with Redis.from_url(server.url) as client:
            for number in range(300):
                write(client, f"kept-{number}")
        with room_for(state_dir, 10):
            write_in_vain(server, state_dir)
        with pytest.raises(UnavailableError, match=FULL):
            server.explain(RedisError, RedisError("connection lost"), None)
        server.explain(None, None, None)
        server.explain(ValueError, ValueError(), None)


def test_room_on_the_disk_ends_the_pause(small_disk: Path, clock: Clock) -> None:
    with EmbeddedValkey(small_disk) as server:
        with Redis.from_url(server.url) as client:
            write(client, "kept")
        fill(small_disk / "filler")
        write_until_gone(server, small_disk)
        with pytest.raises(UnavailableError, match=FULL):
            server.ensure()
        clock.now += A_PAUSE
        assert server.ensure()
        write_until_gone(server, small_disk)
        with pytest.raises(UnavailableError, match=FULL):
            server.ensure()
        assert not server.ensure(), "it pauses for two seconds"
        (small_disk / "filler").unlink()
        assert server.ensure(), "at once, as there is room"
        with Redis.from_url(server.url) as client:
            write(client, "more")
            assert client.exists("kept")


def fill(file: Path) -> None:
    with file.open("wb", buffering=0) as filler, contextlib.suppress(OSError):
        while filler.write(b"x" * 4096) == 4096:
            pass


def write_until_gone(server: EmbeddedValkey, state_dir: Path) -> None:
    """Write what there is room for in the last block, and what there is none for."""
    with Redis.from_url(server.url) as client, contextlib.suppress(RedisError):
        for number in range(10):
            write(client, f"last-{number}")
    wait_until_sync(lambda: gone(state_dir))


def test_a_server_whose_process_id_found_no_room_is_stopped_all_the_same(state_dir: Path) -> None:
    server = EmbeddedValkey(state_dir)
    server.start_or_join()
    before = pid_of(state_dir)
    (state_dir / "valkey.pid").write_bytes(b"")
    assert pid_of(state_dir) == before
    server.release()
    assert gone(state_dir)
