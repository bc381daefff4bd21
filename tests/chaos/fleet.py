"""The whole installation as processes of their own, with proxies in between."""

import asyncio
import base64
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Self

import httpx

from tests.chaos import skew
from tests.chaos.ledger import Ledger
from tests.chaos.monkey import WORKERS
from tests.chaos.proxying.dialogues import Attempt, HttpDialogue, SmtpDialogue
from tests.chaos.proxying.proxy import Proxy
from tests.support.root import ROOT
from tests.support.waiting import wait_until
from worker.valkey.server import find_binary

LEASE = 3
CONNECTIONS = 10
_LATENCY = 0.015  # as far as a provider is, so that there is always something on the wire
_VALKEY = {
    "bind": "127.0.0.1",
    "appendonly": "yes",
    "appendfsync": "always",
    "maxmemory-policy": "noeviction",
    "save": "",
}


class Fleet:
    """
    Valkey, sandbox, `serve` and workers in *directory*, each with a log there.

    Workers reach everything through proxies: the rewards API and Redis through one, mail and SMS
    through one of each per worker, so that it is known who sent what. Commands go straight.
    """

    def __init__(
        self, directory: Path, seed: int, rates: Mapping[str, str], lease: int = LEASE
    ) -> None:
        self.directory = directory
        self.lease = lease
        self.attempts: list[Attempt] = []
        self.proxies: dict[str, list[Proxy]] = {}
        self.workers: list[subprocess.Popen[bytes]] = []
        self.clock_library = skew.library()
        self._seed = seed
        self._rates = rates
        self._stack = AsyncExitStack()
        self._addresses: dict[str, Any] = {}
        self._valkey_port, self._serve_port = _free_port(), _free_port()
        self._key = base64.urlsafe_b64encode(os.urandom(32)).decode()
        self.ledger = Ledger(self._valkey_port)

    async def __aenter__(self) -> Self:
        try:
            await self._start()
        except BaseException:
            await self._stack.aclose()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    async def _start(self) -> None:
        self._stack.push_async_callback(self.ledger.aclose)
        self._stack.callback(lambda: end(self.valkey))
        self.start_valkey()
        self._stack.callback(lambda: end(self.sandbox))
        await self._start_sandbox()
        await self.valkey_answers()
        await self._open_proxies()
        self._stack.callback(lambda: end(self.serve))
        self.start_serve()

    def start_workers(self, number: int = WORKERS) -> None:
        """Start so many workers, once."""
        self._stack.callback(self._end_workers)
        for index in range(number):
            self.workers.append(self._worker(index, 0))

    def _end_workers(self) -> None:
        for worker in self.workers:
            end(worker)

    async def _open_proxies(self) -> None:
        api, smtp = self._api_port, int(self._addresses["smtp_port"])
        attempts = self.attempts
        self.proxies = {
            "redis": [Proxy(self._valkey_port)],
            "rewards": [Proxy(api, lambda: HttpDialogue("rewards", attempts))],
            "smtp": [
                Proxy(smtp, _listener(SmtpDialogue, n, attempts), latency=_LATENCY)
                for n in range(WORKERS)
            ],
            "sms": [
                Proxy(api, _listener(HttpDialogue, n, attempts), latency=_LATENCY)
                for n in range(WORKERS)
            ],
        }
        for proxies in self.proxies.values():
            for proxy in proxies:
                await self._stack.enter_async_context(proxy)

    @property
    def _api_port(self) -> int:
        return int(self._addresses["base_url"].rpartition(":")[2])

    # Processes

    def start_valkey(self) -> None:
        data = self.directory / "valkey"
        data.mkdir(exist_ok=True)
        command = [str(find_binary()), "--port", str(self._valkey_port), "--dir", str(data)]
        for name, value in _VALKEY.items():
            command += [f"--{name}", value]
        self.valkey = self._process("valkey", command, {})

    async def valkey_answers(self) -> None:
        await wait_until(self.ledger.answers)

    def start_serve(self) -> None:
        command = [sys.executable, "-m", "worker.cli", "serve", "--port", str(self._serve_port)]
        self.serve = self._process("serve", command, self.environment(None))

    def start_worker(self, index: int, *, skewed: int = 0) -> None:
        """Start a worker where there is none any more; its date is wrong by *skewed* seconds."""
        self.workers[index] = self._worker(index, skewed)

    def _worker(self, index: int, skewed: int) -> subprocess.Popen[bytes]:
        command, extra = ["-m", "worker"], {}
        if skewed and self.clock_library is not None:
            extra = skew.environment(self.clock_library, skewed)
        elif skewed:
            command = skew.intent_write(skewed)
        environment = {**self.environment(index), **extra}
        return self._process(f"worker-{index}", [sys.executable, *command], environment)

    async def _start_sandbox(self) -> None:
        ready = self.directory / "ready.json"
        command = [sys.executable, "-m", "sandbox", "--dir", str(self.directory / "sandbox")]
        command += ["--ready-file", str(ready), "--seed", str(self._seed)]
        command += ["--async-above", "0", "--async-delay", "0.3", "--latency", "0.2"]
        self.sandbox = self._process("sandbox", command, {})
        await wait_until(ready.exists)
        self._addresses = json.loads(ready.read_text("utf-8"))

    def _process(
        self, name: str, command: list[str], extra: Mapping[str, str]
    ) -> subprocess.Popen[bytes]:
        with (self.directory / f"{name}.log").open("ab") as log:
            return subprocess.Popen(
                command,
                env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), **extra},
                cwd=self.directory,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    # Settings of the processes

    def environment(self, index: int | None) -> dict[str, str]:
        """Return the settings of the worker with this *index*, or of what goes straight (None)."""
        return {
            "CLAIMCAST_REDIS__URL": f"redis://127.0.0.1:{self._port('redis', index)}/0",
            "CLAIMCAST_SECRET_KEYS": self._key,
            "CLAIMCAST_PUBLIC_URL": f"http://127.0.0.1:{self._serve_port}",
            # One address for all, as it is part of the account's name in the ledger.
            "CLAIMCAST_REWARDS__BASE_URL": f"http://127.0.0.1:{self.proxies['rewards'][0].port}",
            "CLAIMCAST_REWARDS__EMAIL": self._addresses["email"],
            "CLAIMCAST_REWARDS__ACCESS_TOKEN": self._addresses["access_token"],
            "CLAIMCAST_REWARDS__TIMEOUT": "3",
            "CLAIMCAST_SMTP__HOST": "127.0.0.1",
            "CLAIMCAST_SMTP__PORT": str(self._port("smtp", index)),
            "CLAIMCAST_SMTP__SECURITY": "none",
            "CLAIMCAST_SMTP__SENDER": "Rewards <rewards@example.com>",
            "CLAIMCAST_SMTP__CONNECTIONS": str(CONNECTIONS),
            "CLAIMCAST_TWILIO__ACCOUNT_SID": self._addresses["account_sid"],
            "CLAIMCAST_TWILIO__AUTH_TOKEN": self._addresses["auth_token"],
            "CLAIMCAST_TWILIO__FROM_NUMBER": "+15005550006",
            "CLAIMCAST_TWILIO__BASE_URL": f"http://127.0.0.1:{self._port('sms', index)}",
            "CLAIMCAST_LEASE_SECONDS": str(self.lease),
            "CLAIMCAST_RETRY__FIRST": "0.2",
            "CLAIMCAST_RETRY__CAP": "2",
            "CLAIMCAST_LOG_FORMAT": "json",
            **{f"CLAIMCAST_LIMITS__{name.upper()}": rate for name, rate in self._rates.items()},
        }

    def _port(self, service: str, index: int | None) -> int:
        if index is None:
            return self._valkey_port if service == "redis" else self._api_port
        proxies = self.proxies[service]
        return proxies[index % len(proxies)].port

    async def command(self, *words: str) -> tuple[int, str]:
        """Run a command to its end; return its exit status and standard output."""
        with (self.directory / "commands.log").open("ab") as log:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "worker.cli", *words),
                env={
                    "PATH": os.environ["PATH"],
                    "PYTHONPATH": str(ROOT),
                    **self.environment(None),
                },
                cwd=self.directory,
                stdout=asyncio.subprocess.PIPE,
                stderr=log,
            )
            output, _ = await process.communicate()
        return process.returncode or 0, output.decode()

    async def switch(self, switches: str, faults: Mapping[str, object]) -> None:
        """Change the sandbox's faults."""
        async with httpx.AsyncClient(trust_env=False, timeout=120) as client:
            answer = await client.put(self._control(switches), json=dict(faults))
            answer.raise_for_status()

    async def account(self, what: str) -> Any:  # noqa: ANN401 - JSON
        async with httpx.AsyncClient(trust_env=False, timeout=120) as client:
            answer = await client.get(self._control(what))
            return answer.raise_for_status().json()

    def _control(self, what: str) -> str:
        return f"{self._addresses['control_url']}/{what}"


def end(process: subprocess.Popen[bytes]) -> None:
    """SIGKILL a process and take note of its end; it may be stopped, or gone already."""
    with contextlib.suppress(ProcessLookupError):
        process.send_signal(signal.SIGKILL)
    process.wait()
    skew.tidy(process.pid)


def _listener(
    dialogue: type[SmtpDialogue] | type[HttpDialogue], index: int, attempts: list[Attempt]
) -> Any:  # noqa: ANN401 - a maker of dialogues
    return lambda: dialogue(f"worker-{index}", attempts)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
