"""
claimcast's commands in processes that die, by SIGKILL, exactly where they are told to.

Importing takes a second, so every process is forked from one that has everything imported: the
standard library's fork server, which is single-threaded and ends with the tests.
"""

import asyncio
import functools
import importlib
import inspect
import json
import multiprocessing
import os
import pkgutil
import signal
import sys
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, Literal

from arq.connections import ArqRedis

import pipeline
from channels.registry import ADAPTERS
from pipeline.sending.dispatcher import Dispatcher
from worker.cli import main

Moment = Literal["before", "after"]
Call = Callable[..., Coroutine[Any, Any, Any]]

KILLED = -signal.SIGKILL
_CONNECTIONS = {"redis", "http", "scripts", "cache"}
_LOOK_SECONDS = 0.24  # between looks for a lost SMS; a minute in earnest
_PATIENCE = 120.0

_ZYGOTE = multiprocessing.get_context("forkserver")
for _command in main.lazy_subcommands.values():
    _command.load()  # here, and not in every process
# The others are imported by the process that first uses them.
_ZYGOTE.set_forkserver_preload(
    ["__main__", __name__, "anyio._backends._asyncio", "httpcore", "twilio.rest.api"]
)


@dataclass(frozen=True, slots=True)
class Kill:
    """Right before or right after the call of a port with this number, counted from 1."""

    port: str
    moment: Moment
    number: int

    def __str__(self) -> str:
        return f"{self.moment} call {self.number} of {self.port}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """
    One process: a command, its environment, its working directory, and how it ends.

    What it says goes to the file *log*; if it is not killed, the names of all ports that it
    called go to *record*, in order.
    """

    words: Sequence[str]
    env: Mapping[str, str]
    directory: Path
    log: Path
    record: Path | None = None
    kill: Kill | None = None


def port_classes() -> list[type]:
    """Return the classes that touch the outside: users of a connection, and the channels."""
    classes = [ArqRedis, *(adapter for adapter in ADAPTERS.values() if isinstance(adapter, type))]
    for module in pkgutil.walk_packages(pipeline.__path__, "pipeline."):
        if not module.name.endswith("__main__"):
            classes += _given_a_connection(importlib.import_module(module.name))
    return classes


def _given_a_connection(module: object) -> Iterator[type]:
    for found in vars(module).values():
        ours = inspect.isclass(found) and found.__module__ == getattr(module, "__name__", "")
        if ours and _CONNECTIONS & inspect.signature(found.__init__).parameters.keys():
            yield found


def _ports() -> dict[str, tuple[type, str]]:
    found = [
        (f"{each.__name__}.{name}", (each, name))
        for each in port_classes()
        for name, method in vars(each).items()
        if not name.startswith("_") and inspect.iscoroutinefunction(method)
    ]
    assert len(dict(found)) == len(found), "two port classes with one name"
    return dict(found)


PORTS: Mapping[str, tuple[type, str]] = _ports()
"""Every port, a public coroutine method of a port class, by its name `Class.method`."""


async def run(plan: Plan) -> int:
    """Run a process to its end and return its exit code, `KILLED` if it died as planned."""
    process = _ZYGOTE.Process(target=perform, args=(plan,), daemon=True)
    process.start()
    try:
        await _ended(process)
        assert process.exitcode is not None
        return process.exitcode
    finally:
        process.kill()
        process.join()
        process.close()


async def _ended(process: BaseProcess) -> None:
    loop, ended = asyncio.get_running_loop(), asyncio.Event()
    loop.add_reader(process.sentinel, ended.set)
    try:
        async with asyncio.timeout(_PATIENCE):
            await ended.wait()
    finally:
        loop.remove_reader(process.sentinel)


def perform(plan: Plan) -> None:
    """Be the process of *plan*; does not return."""
    os.environ.clear()
    os.environ.update(plan.env)
    os.chdir(plan.directory)
    with plan.log.open("a") as log:
        os.dup2(log.fileno(), sys.stdout.fileno())
        os.dup2(log.fileno(), sys.stderr.fileno())
    assert Dispatcher.__init__.__kwdefaults__ is not None
    Dispatcher.__init__.__kwdefaults__["look_every"] = _LOOK_SECONDS
    boundaries = Boundaries(plan.kill)
    boundaries.put_around_ports()
    try:
        main(args=list(plan.words), prog_name="claimcast")
    finally:
        if plan.record is not None:
            plan.record.write_text(json.dumps(boundaries.called), "utf-8")


class Boundaries:
    """Sees every call of a port in this process, and is where it dies."""

    def __init__(self, kill: Kill | None) -> None:
        self.called: list[str] = []
        self._numbers: Counter[str] = Counter()
        self._kill = kill

    def put_around_ports(self) -> None:
        for name, (found, method) in PORTS.items():
            setattr(found, method, self._around(name, vars(found)[method]))

    def _around(self, port: str, call: Call) -> Call:
        @functools.wraps(call)
        async def bounded(*args: object, **kwargs: object) -> object:
            self.called.append(port)
            self._numbers[port] += 1
            number = self._numbers[port]
            self._pass(Kill(port, "before", number))
            try:
                return await call(*args, **kwargs)
            finally:
                self._pass(Kill(port, "after", number))

        return bounded

    def _pass(self, boundary: Kill) -> None:
        if boundary == self._kill:
            os.kill(os.getpid(), signal.SIGKILL)


def recorded(record: Path) -> list[str]:
    """Return the ports that a process called, in order, from what it wrote at its end."""
    called: list[str] = json.loads(record.read_text("utf-8"))
    return called
