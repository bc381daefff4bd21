"""A page that a reader follows step by step: its marked blocks, and a shell that does them."""

import os
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.support.root import ROOT
from tests.support.waiting import wait_until_sync

_BLOCK = re.compile(r"<!-- (run|file|shows)(?:: ([^\n]*))? -->\n```\w+\n(.*?)\n```", re.DOTALL)
_MAILS = ".sandbox/Maildir/new"


@dataclass(frozen=True, slots=True)
class Step:
    """
    A block of a page below a mark.

    `<!-- run -->` is typed into the shell; `run: exit 2` expects that status, `run: background`
    goes on beside what follows, `run: once there are 6 mails` and `run: once FILE says "WORDS"`
    wait first. `<!-- file: NAME -->` is written into a file. The lines of `<!-- shows -->` must be
    in what was said since the last such block, in that order; `…` stands for anything.
    """

    kind: str
    how: str
    text: str


def steps(page: str) -> list[Step]:
    """Return the marked blocks of a page, in their order."""
    return [Step(*found) for found in _BLOCK.findall(page)]


class Walk:
    """A reader's shell in *folder*: one bash for all steps, as variables and jobs must last."""

    def __init__(self, folder: Path, settings: dict[str, str]) -> None:
        self._folder = folder
        self._said = folder / "said.log"
        self._beside: list[subprocess.Popen[bytes]] = []
        self._number = 0
        programs = folder.with_name("bin")
        programs.mkdir()
        script = programs / "claimcast"
        script.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m worker.cli "$@"\n')
        script.chmod(0o700)
        self._environment = settings | {
            "PATH": f"{programs}:{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
            "LC_ALL": "C.UTF-8",
        }
        self._bash = self._start(["bash"])

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, e: BaseException | None, at: TracebackType | None
    ) -> None:
        for process in (self._bash, *self._beside):
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()

    def do(self, step: Step) -> None:
        """Do one step; what it shows or how it ends must be as the page says."""
        if step.kind == "file":
            (self._folder / step.how).write_text(f"{step.text}\n", "utf-8")
        elif step.kind == "shows":
            said = self._said.read_text("utf-8")
            self._said.write_text("")
            missed = next(missing_lines(step.text, said), None)
            assert missed is None, f"not said: {missed}\n\nsaid was:\n{said}"
        elif step.how == "background":
            self._beside.append(self._start(["bash", "-c", step.text]))
        else:
            self._await(step.how)
            code = self._type(step.text)
            wanted = re.fullmatch(r"exit (\d)", step.how)
            assert code == (int(wanted[1]) if wanted else 0), self._said.read_text("utf-8")

    def _start(self, command: list[str]) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            command,
            cwd=self._folder,
            env=self._environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def _type(self, text: str) -> int:
        """Run *text* in the shell that lasts, and return its exit status."""
        self._number += 1
        block, ended = (self._folder / f".step-{self._number}{kind}" for kind in (".sh", ".end"))
        block.write_text(text, "utf-8")
        assert self._bash.stdin is not None
        self._bash.stdin.write(
            f". ./{block.name} < /dev/null >> {self._said.name} 2>&1\n"
            f"echo $? > {ended.name}.part; mv {ended.name}.part {ended.name}\n".encode()
        )
        self._bash.stdin.flush()
        wait_until_sync(ended.exists)
        return int(ended.read_text())

    def _await(self, how: str) -> None:
        if mails := re.fullmatch(r"once there are (\d+) mails", how):
            wait_until_sync(lambda: len(list(self._folder.glob(f"{_MAILS}/*"))) >= int(mails[1]))
        elif words := re.fullmatch(r'once (\S+) says "(.+)"', how):
            file = self._folder / words[1]
            wait_until_sync(lambda: file.exists() and words[2] in file.read_text("utf-8"))


def missing_lines(shown: str, said: str) -> Iterator[str]:
    """Yield the lines of *shown* that are not among those of *said*, each after the one before."""
    lines = iter([line.rstrip() for line in said.splitlines()])
    for line in shown.splitlines():
        pattern = re.compile(".*".join(re.escape(part) for part in line.rstrip().split("…")))
        if not any(pattern.fullmatch(each) for each in lines):
            yield line
            return
