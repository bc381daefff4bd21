"""Real servers, real processes, real signals."""

import os
import signal
import stat
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from redis import Redis

from pipeline.domain.errors import UnavailableError
from tests.support.root import ROOT
from tests.support.waiting import wait_until_sync
from worker.valkey.embedded import EmbeddedValkey
from worker.valkey.file_lock import FileLock
from worker.valkey.server import ValkeyServer

USER = """
import sys
from pathlib import Path
from worker.valkey.embedded import EmbeddedValkey
server = EmbeddedValkey(Path(sys.argv[1]))
print(server.start_or_join(), flush=True)
sys.stdin.read()
server.release()
"""

FORKER = """
import os, sys
from pathlib import Path
from worker.valkey.embedded import EmbeddedValkey
server = EmbeddedValkey(Path(sys.argv[1]))
server.start_or_join()
if (child := os.fork()) == 0:
    server.release()
    os._exit(0)
os.waitpid(child, 0)
print(server.ensure(), flush=True)
server.release()
"""

Start = Callable[[str], subprocess.Popen[str]]


@pytest.fixture
def state_dir(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "state"
    for place in tmp_path.rglob("server.lock"):
        end_server(place.parent)


@pytest.fixture
def start(state_dir: Path) -> Iterator[Start]:
    """Start a process in a group of its own; all are ended with the test."""
    started: list[subprocess.Popen[str]] = []

    def start(script: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", script, str(state_dir)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            start_new_session=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def first_line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def finish(process: subprocess.Popen[str]) -> None:
    process.communicate("", timeout=120)
    assert process.returncode == 0


def gone(state_dir: Path) -> bool:
    with FileLock(state_dir / "server.lock") as lock:
        return lock.try_lock()


def pid_of(state_dir: Path) -> int:
    pid = ValkeyServer(state_dir).pid
    assert pid is not None
    return pid


def end_server(state_dir: Path) -> None:
    if not gone(state_dir):
        os.kill(pid_of(state_dir), signal.SIGKILL)
        wait_until_sync(lambda: gone(state_dir))


def freeze(pid: int) -> None:
    """Stop the process, and wait until it is: a signal sent at once might overtake the stop."""
    os.kill(pid, signal.SIGSTOP)
    wait_until_sync(lambda: process_state(pid) == "T")


def process_state(pid: int) -> str:
    status = Path(f"/proc/{pid}/stat")
    if status.exists():
        return status.read_text().rpartition(")")[2].split()[0]
    return subprocess.check_output(["ps", "-o", "stat=", "-p", str(pid)], text=True)[:1]


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_starts_a_private_server_and_stops_it_at_the_end(state_dir: Path) -> None:
    with EmbeddedValkey(state_dir) as server:
        assert mode(state_dir) == 0o700
        assert mode(state_dir / "valkey") == 0o700
        assert mode(state_dir / "valkey.sock") == 0o600
        with Redis.from_url(server.url) as client:
            assert client.config_get("appendfsync") == {"appendfsync": "always"}
            assert client.config_get("save") == {"save": ""}
            assert client.config_get("port") == {"port": "0"}
        assert not gone(state_dir)
    assert gone(state_dir)
    server.release()


def test_makes_an_open_state_directory_private(state_dir: Path) -> None:
    state_dir.mkdir(mode=0o755)
    with EmbeddedValkey(state_dir):
        assert mode(state_dir) == 0o700


def test_the_last_of_two_processes_stops_the_server(state_dir: Path, start: Start) -> None:
    first = start(USER)
    url = first_line(first)
    server = EmbeddedValkey(state_dir)

    assert server.start_or_join() == url
    finish(first)

    with Redis.from_url(url) as client:
        assert client.ping()
    server.release()
    assert gone(state_dir)


def test_two_instances_in_one_process_are_two_users(state_dir: Path) -> None:
    with EmbeddedValkey(state_dir):
        with EmbeddedValkey(state_dir):
            pass
        assert not gone(state_dir)


def test_processes_that_start_at_once_share_one_server(state_dir: Path, start: Start) -> None:
    users = [start(USER) for _ in range(4)]

    urls = {first_line(user) for user in users}

    (url,) = urls
    with Redis.from_url(url) as client:
        assert client.info("server")["process_id"] == pid_of(state_dir)
    log = ValkeyServer(state_dir).log_path.read_text()
    assert log.count("Server initialized") == 1
    for user in users:
        finish(user)
    assert gone(state_dir)


def test_data_survives_stop_and_start(state_dir: Path) -> None:
    for turn in range(3):
        with EmbeddedValkey(state_dir) as server, Redis.from_url(server.url) as client:
            assert client.incr("turn") == turn + 1


def test_ensure_starts_a_killed_server_on_the_same_data(state_dir: Path) -> None:
    with EmbeddedValkey(state_dir) as server, Redis.from_url(server.url) as client:
        client.set("kept", "yes")
        assert not server.ensure()

        os.kill(pid_of(state_dir), signal.SIGKILL)
        wait_until_sync(lambda: gone(state_dir))

        assert server.ensure()
        assert not server.ensure()
        assert client.get("kept") == b"yes"


@pytest.mark.usefixtures("clock")
def test_a_server_that_is_killed_again_at_once_is_not_said_to_lack_room(state_dir: Path) -> None:
    with EmbeddedValkey(state_dir) as server:
        end_server(state_dir)
        assert server.ensure()
        end_server(state_dir)
        with pytest.raises(
            UnavailableError, match=r"ended by itself or was killed.* log"
        ) as error:
            server.ensure()
    assert "disk" not in str(error.value).partition("its log")[0]


def test_one_of_many_threads_restarts_the_server(state_dir: Path) -> None:
    with EmbeddedValkey(state_dir) as one, EmbeddedValkey(state_dir) as other:
        end_server(state_dir)
        found: list[bool] = []
        threads = [
            threading.Thread(target=lambda user: found.append(user.ensure()), args=(user,))
            for user in [one, other] * 4
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sum(found) == 1
        with Redis.from_url(one.url) as client:
            assert client.ping()


def test_a_server_whose_user_was_killed_is_joined(state_dir: Path, start: Start) -> None:
    user = start(USER)
    first_line(user)
    before = pid_of(state_dir)

    user.kill()
    user.wait()

    with EmbeddedValkey(state_dir) as server, Redis.from_url(server.url) as client:
        assert client.info("server")["process_id"] == before
    assert gone(state_dir)


def test_user_and_server_killed_together_leave_nothing_in_the_way(
    state_dir: Path, start: Start
) -> None:
    user = start(USER)
    with Redis.from_url(first_line(user)) as client:
        client.set("kept", "yes")
    user.kill()
    end_server(state_dir)
    assert (state_dir / "valkey.sock").exists()
    assert (state_dir / "valkey.pid").exists()

    with EmbeddedValkey(state_dir) as server, Redis.from_url(server.url) as client:
        assert client.get("kept") == b"yes"


def test_ctrl_c_at_the_terminal_does_not_reach_the_server(state_dir: Path, start: Start) -> None:
    user = start(USER)
    url = first_line(user)
    before = pid_of(state_dir)

    assert os.getpgid(before) != os.getpgid(user.pid)
    os.killpg(user.pid, signal.SIGINT)
    user.communicate(timeout=120)

    assert user.returncode != 0
    with Redis.from_url(url) as client:
        assert client.info("server")["process_id"] == before


def test_the_end_of_a_fork_leaves_the_server_alone(state_dir: Path, start: Start) -> None:
    forker = start(FORKER)
    assert first_line(forker) == "False"
    finish(forker)
    assert gone(state_dir)


def test_a_long_path_gets_a_short_private_socket_directory(
    tmp_path: Path, state_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deep = tmp_path / ("ein langer Name mit % und ü " * 5)
    with EmbeddedValkey(deep) as server, Redis.from_url(server.url) as client:
        client.set("kept", "yes")
        place = ValkeyServer(deep).socket_path
        assert len(os.fsencode(place)) < 104
        assert mode(place.parent) == 0o700
        assert mode(place) == 0o600
        # A user that joins finds it, whatever its own idea of a temporary directory is.
        monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
        assert EmbeddedValkey(deep).url == server.url
    place.parent.rmdir()


def test_an_odd_but_short_path_works_too(tmp_path: Path, state_dir: Path) -> None:
    with (
        EmbeddedValkey(state_dir / "a b%20'\"ü") as server,
        Redis.from_url(server.url) as client,
    ):
        assert client.ping()


def test_somebody_elses_socket_directory_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deep = tmp_path / ("d" * 100)
    with tempfile.TemporaryDirectory(prefix="cc", dir="/tmp") as short:
        monkeypatch.setattr("tempfile.tempdir", short)
        with EmbeddedValkey(deep):
            place = next(Path(short).iterdir())
        place.chmod(0o755)

        with pytest.raises(UnavailableError, match="not a private directory of this user"):
            EmbeddedValkey(deep).start_or_join()


def test_a_long_temporary_directory_is_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deep = tmp_path / ("d" * 100)
    monkeypatch.setattr("tempfile.tempdir", str(deep))
    with EmbeddedValkey(deep) as server, Redis.from_url(server.url) as client:
        assert client.ping()
        place = ValkeyServer(deep).socket_path
        assert place.parent.parent == Path("/tmp")  # noqa: S108 - short
    place.parent.rmdir()


def test_a_frozen_server_is_named_and_left_to_a_person(state_dir: Path, start: Start) -> None:
    first_line(start(USER))
    pid = pid_of(state_dir)
    freeze(pid)

    with pytest.raises(UnavailableError, match=f"does not answer: end it with `kill -9 {pid}`"):
        EmbeddedValkey(state_dir, patience=0.2).start_or_join()

    os.kill(pid, signal.SIGCONT)
    with EmbeddedValkey(state_dir) as server:
        freeze(pid)
        assert not server.ensure(), "it lives, so there is nothing to start"
        os.kill(pid, signal.SIGCONT)


def started(state_dir: Path) -> EmbeddedValkey:
    """Start a server with the usual patience; a user that leaves it waits for a second only."""
    server = EmbeddedValkey(state_dir)
    server.start_or_join()
    server._patience = 1  # noqa: SLF001 - a busy machine needs more than that for the start
    return server


def told_to_end(pid: int) -> bool:
    """Return whether SIGTERM waits for a frozen process, or it has already been killed."""
    try:
        return "ShdPnd:\t0000000000004000" in Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return True


@pytest.mark.skipif(sys.platform != "linux", reason="looks at pending signals in /proc")
def test_a_user_that_joins_while_the_last_one_stops_the_server_gets_a_new_one(
    state_dir: Path,
) -> None:
    leaving = started(state_dir)
    before = pid_of(state_dir)
    freeze(before)
    thread = threading.Thread(target=leaving.release)
    thread.start()
    wait_until_sync(lambda: told_to_end(before))

    with EmbeddedValkey(state_dir) as server, Redis.from_url(server.url) as client:
        assert client.info("server")["process_id"] == pid_of(state_dir) != before
        thread.join()
        assert client.ping()


def test_a_server_that_does_not_heed_sigterm_is_killed_by_its_last_user(state_dir: Path) -> None:
    server = started(state_dir)
    freeze(pid_of(state_dir))

    server.release()

    assert gone(state_dir)


@pytest.mark.usefixtures("clock")
def test_a_server_that_cannot_start_leaves_its_last_words(state_dir: Path) -> None:
    with EmbeddedValkey(state_dir) as server, Redis.from_url(server.url) as client:
        client.set("kept", "yes")
        end_server(state_dir)
        log = next((state_dir / "valkey" / "appendonlydir").glob("*.incr.aof"))
        log.write_bytes(b"not a log of commands\r\n" * 10)

        with pytest.raises(UnavailableError, match=r"stopped while .* Bad file format"):
            server.ensure()
        assert not server.ensure(), "it backs off"
        with pytest.raises(UnavailableError, match=r"stopped while .* Bad file format"):
            EmbeddedValkey(state_dir).start_or_join()


def test_a_state_directory_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(UnavailableError, match=r"file/state cannot be used .*STATE_DIR"):
        EmbeddedValkey(tmp_path / "file" / "state").start_or_join()
