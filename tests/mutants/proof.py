"""A copy of the project in which one defect at a time is made, and looked for by its test."""

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from tests.mutants.defect import Defect
from tests.support.root import ROOT
from tests.support.waiting import PATIENCE_VARIABLE
from worker.valkey.embedded import EmbeddedValkey

PARTS = (
    *("worker", "pipeline", "channels", "config", "sandbox", "bench", "examples", "tests"),
    "pyproject.toml",
)

# What says that the changed code could not be run at all: that is no defect, and proves nothing.
_NONSENSE = re.compile(
    r"(?:Syntax|Name|Import|ModuleNotFound)Error\b"
    r"|Error compiling script|user_script:\d|nonexistent global"
)
_RED = re.compile(r"^FAILED (\S+::\w+)", re.MULTILINE)
_LAST_WORDS = 3000
_MANNERS = 5.0
_PATIENCE = 10.0  # a wait for what never comes must go red before the test takes too long


class Verdict(StrEnum):
    """What became of one defect; only the first one is good."""

    CAUGHT = "caught"
    SURVIVED = "SURVIVED"
    HUNG = "HUNG"
    NONSENSE = "NONSENSE"


@dataclass(frozen=True, slots=True)
class Run:
    """One run of some tests; `status` is pytest's, None if it took too long."""

    status: int | None
    output: str
    seconds: float

    @property
    def last_words(self) -> str:
        return self.output[-_LAST_WORDS:]


class Workshop:
    """The copy in *directory*; the project itself is only read."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._project = directory / "project"
        self._scratch = directory / "scratch"
        self._bytecode: dict[str, str] = {}

    def copy(self) -> None:
        self._project.mkdir()
        for part in PARTS:
            source, target = ROOT / part, self._project / part
            if source.is_dir():
                shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__", ".*"))
            else:
                shutil.copy2(source, target)

    def imports_itself(self) -> bool:
        """Tell whether code that runs in the copy is the copy's, not what is installed."""
        names = "import channels, config, pipeline, sandbox, worker; print(*pipeline.__path__)"
        found = subprocess.run(
            [sys.executable, "-P", "-c", names],
            cwd=self.directory,
            env=self._environment(),
            capture_output=True,
            text=True,
            check=True,
        )
        return found.stdout.strip() == str(self._project / "pipeline")

    def text(self, path: str) -> str:
        return (self._project / path).read_text("utf-8")

    @contextmanager
    def with_defect(self, defect: Defect) -> Iterator[None]:
        """Change one file for the time of the block; raises ValueError if it does not fit."""
        path, text = self._project / defect.path, self.text(defect.path)
        times = path.stat()
        path.write_text(applied(defect, text), "utf-8")
        # What was compiled before must not be run, and what is compiled now must not stay.
        os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns + 10**10))
        self._bytecode = {"PYTHONDONTWRITEBYTECODE": "1"}
        try:
            yield
        finally:
            self._bytecode = {}
            path.write_text(text, "utf-8")
            os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))

    def run(self, tests: Sequence[str], seconds: float) -> Run:
        """Run some tests by their ids, one after the other, until the first that fails."""
        options = ["-x", "-q", "--tb=short", "--no-header", f"--basetemp={self._scratch}"]
        alike = ["-p", "no:randomly", "-p", "no:cacheprovider", "--hypothesis-seed=0"]
        started = time.monotonic()
        process = subprocess.Popen(
            [sys.executable, "-m", "pytest", *options, *alike, *tests],
            cwd=self._project,
            env=self._environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,  # Ctrl-C is for us; we pass it on
        )
        status: int | None = None
        output = ""
        try:
            output, _ = process.communicate(timeout=seconds)
            status = process.returncode
        except subprocess.TimeoutExpired:
            pass
        finally:
            if process.poll() is None:
                output += self._end(process)
        return Run(status, output, time.monotonic() - started)

    def _end(self, process: "subprocess.Popen[str]") -> str:
        """End the tests as Ctrl-C would, so that they clean up; return what they said."""
        for _ in "ab":  # asyncio takes the first one for a wish
            process.send_signal(signal.SIGINT)
            try:
                return process.communicate(timeout=_MANNERS)[0]
            except subprocess.TimeoutExpired:
                continue
        os.killpg(process.pid, signal.SIGKILL)
        output, _ = process.communicate()
        for record in self._scratch.rglob("valkey.pid"):
            # Whoever joins and leaves is the last user, who stops the server.
            with EmbeddedValkey(record.parent):
                pass
        return output

    def _environment(self) -> dict[str, str]:
        ours = {"PYTHONPATH": str(self._project), PATIENCE_VARIABLE: str(_PATIENCE)}
        return {**os.environ, **ours, **self._bytecode}


@contextmanager
def workshop() -> Iterator[Workshop]:
    """Yield a copy of the project; nothing of it is left afterwards."""
    directory = Path(tempfile.mkdtemp(prefix="claimcast-mutants-")).resolve()
    try:
        made = Workshop(directory)
        made.copy()
        yield made
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def applied(defect: Defect, text: str) -> str:
    """Return the file's *text* with the defect; raises ValueError unless it fits exactly once."""
    if (times := text.count(defect.old)) != 1:
        msg = f"{defect.name}: what is to be changed stands {times} times in {defect.path}"
        raise ValueError(msg)
    return text.replace(defect.old, defect.new)


def judge(run: Run, defect: Defect) -> Verdict:
    """Return what a run of the defect's test says; an error outside of the test is no proof."""
    if run.status is None:
        return Verdict.HUNG
    if run.status == 0:
        return Verdict.SURVIVED
    red = set(_RED.findall(run.output))
    if run.status != 1 or red != {defect.test} or _NONSENSE.search(run.output):
        return Verdict.NONSENSE
    return Verdict.CAUGHT
