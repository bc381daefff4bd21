"""`claimcast serve` as a process: it says where it is, logs no token, and ends when told to."""

import asyncio
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from pipeline.callbacks.signed_tokens import Purpose, SignedTokens, Target
from tests.pipeline.installation import Installation
from tests.support.root import ROOT
from tests.support.waiting import wait_until_sync
from tests.worker.cli.command_line import CommandLine

# Nothing ends by a deadline here, of which each is looked at first: whatever ends was told to.
PATIENT = """
from worker.cli import main
from worker.web import connection, server

assert (server._PATIENCE, connection.REQUEST_SECONDS) == (5.0, 10.0)
server._PATIENCE = connection.REQUEST_SECONDS = 600.0
main()
"""


@contextmanager
def served(log: Path) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """Run `claimcast serve` and yield the process and its address."""
    words = [sys.executable, "-c", PATIENT, "serve", "--port", "0"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with (
        log.open("wb") as stream,
        subprocess.Popen(words, stderr=stream, env=environment) as process,
    ):
        try:
            yield process, _address(process, log)
        finally:
            process.kill()


def _address(process: subprocess.Popen[bytes], log: Path) -> str:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        found = re.search(r"Serving on (http://\S+) until", log.read_text())
        if found:
            return found[1]
        assert process.poll() is None, log.read_text()
        time.sleep(0.02)
    pytest.fail(log.read_text())


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_serves_until_it_is_told_to_stop(
    cli: CommandLine, tmp_path: Path, number: signal.Signals
) -> None:
    async def token(installation: Installation) -> str:
        return SignedTokens(installation.vault).make(
            Purpose.FULFILMENT, Target(serial="1", batch=1)
        )

    secret = cli.prepare(token)
    log = tmp_path / "log"
    with served(log) as (process, url):
        # On a busy machine Redis may need more than the second that it is given.
        wait_until_sync(lambda: httpx.get(f"{url}/readyz", timeout=120).text == "ready\n")
        assert httpx.post(f"{url}/webhooks/fulfillment/{secret}", timeout=120).status_code == 204
        assert (
            httpx.get(f"{url}/webhooks/fulfillment/{secret}?x={secret}", timeout=120).status_code
            == 405
        )
        assert httpx.get(f"{url}/{secret}", timeout=120).status_code == 404
        process.send_signal(number)
        assert process.wait(120) == 0
    written = log.read_text()
    assert "CLAIMCAST_PUBLIC_URL is not set" in written
    assert secret not in written
    assert "Traceback" not in written


def test_a_second_signal_ends_it_at_once(
    cli: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("ACCOUNT_SID", "AUTH_TOKEN", "FROM_NUMBER"):
        monkeypatch.setenv(f"CLAIMCAST_TWILIO__{name}", "x")
    monkeypatch.setenv("CLAIMCAST_PUBLIC_URL", "https://claims.example.org")
    with served(tmp_path / "log") as (process, url):
        host, _, port = url.removeprefix("http://").rpartition(":")

        async def stop_twice() -> None:
            reader, writer = await asyncio.open_connection(host, int(port))
            idle, other = await asyncio.open_connection(host, int(port))
            head = b"POST /webhooks/twilio/inbound HTTP/1.1\r\nContent-Length: 1\r\n"
            writer.write(head + b"Expect: 100-continue\r\n\r\n")
            await asyncio.wait_for(reader.readuntil(b"100 Continue\r\n\r\n"), 120)
            process.send_signal(signal.SIGTERM)
            assert await asyncio.wait_for(idle.read(), 120) == b""  # it waits for the other now
            process.send_signal(signal.SIGTERM)
            # Until the process has ended, what it waited for is there.
            assert await asyncio.to_thread(process.wait, 120) == 130
            writer.close()
            other.close()

        asyncio.run(stop_twice())


def test_a_port_that_is_taken_is_reported(cli: CommandLine, tmp_path: Path) -> None:
    with served(tmp_path / "log") as (_, url):
        output = cli.run("serve", "--port", url.rpartition(":")[2], code=2).stderr
    assert "Cannot listen on 127.0.0.1 port" in output
    assert "choose others: --host, --port." in output
