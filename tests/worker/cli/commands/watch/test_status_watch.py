"""Watching a campaign: a line at every change in a pipe, a picture drawn anew at a terminal."""

import os
import pty
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from pipeline.store.formats.snapshot import CampaignSnapshot
from tests.pipeline.installation import Installation
from tests.pipeline.intake.builders import a_campaign
from tests.support.root import ROOT
from tests.worker.cli.command_line import CommandLine
from tests.worker.cli.prepared import ID, submit
from worker.cli.progress.watch import watch_view
from worker.interrupt import INTERRUPTED

START = "from worker.start import main; main()"


async def go_on_to_the_end(ledger: Installation) -> None:
    await ledger.finished(str(await ledger.campaigns.find(ID)))


@contextmanager
def started(*words: str, output: int = subprocess.PIPE) -> Iterator[subprocess.Popen[str]]:
    """Run a command as the console script does, beside the test."""
    process = subprocess.Popen(
        [sys.executable, "-c", START, *words],
        env={**os.environ, "PYTHONPATH": str(ROOT), "TERM": "xterm"},
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


def next_line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().partition(" ")[2].rstrip()


@pytest.mark.parametrize("words", [("status", ID, "--watch"), ("status", "--watch")])
def test_watching_in_a_pipe_prints_a_line_at_every_change(
    cli: CommandLine, words: tuple[str, ...]
) -> None:
    cli.prepare(submit)
    with started(*words) as process:
        assert next_line(process) == f"{ID} running: 5 open; deliveries: 5 pending"
        cli.run("pause", ID)
        assert next_line(process) == f"{ID} paused: 5 open; deliveries: 5 pending"
        cli.run("resume", ID)
        assert next_line(process) == f"{ID} running: 5 open; deliveries: 5 pending"
        cli.prepare(go_on_to_the_end)
        rest, _ = process.communicate(timeout=120)

    assert process.returncode == 0
    assert rest.splitlines()[-1].endswith(f"{ID} finished: 5 reached; deliveries: 5 sent")


def test_watching_at_a_terminal_draws_over_what_it_drew(cli: CommandLine) -> None:
    cli.prepare(submit)
    master, line = pty.openpty()
    with started("status", ID, "--watch", output=line) as process:
        os.close(line)
        shown = ""
        while "No worker is running" not in shown:
            shown += os.read(master, 65536).decode()
        cli.prepare(go_on_to_the_end)
        while "finished" not in shown:
            shown += os.read(master, 65536).decode()
        assert process.wait(timeout=120) == 0
    os.close(master)

    first, *others = shown.split("\x1b[J")[1:]
    assert others, "drawn once only"
    height = first.partition("\x1b[?7h")[0].count("\n") + 1
    assert f"\x1b[{height}F" in first, "the next picture begins where this one began"


def test_what_is_as_it_was_is_not_printed_again(capsys: pytest.CaptureFixture[str]) -> None:
    output, fields = watch_view(), {"id": ID, "p:open": "5", "b:planned": "1"}
    for second in (1, 2):
        output.show([], [CampaignSnapshot("1", fields, 1000 * second)], final=False)
    output.show([], [CampaignSnapshot("1", fields | {"pau": "1"}, 3000)], final=False)

    assert capsys.readouterr().out.splitlines() == [
        f"1970-01-01T00:00:01Z {ID} running: 5 open; deliveries: none",
        f"1970-01-01T00:00:03Z {ID} paused: 5 open; deliveries: none",
    ]


def test_watching_nothing_ends_at_once(cli: CommandLine) -> None:
    assert cli.run("status", "--watch").stdout == "No campaigns.\n"


def test_ctrl_c_ends_watching_with_a_line(cli: CommandLine) -> None:
    cli.prepare(submit)
    with started("status", ID, "--watch") as process:
        assert "running" in next_line(process)
        process.send_signal(signal.SIGINT)
        _, output = process.communicate(timeout=120)

    assert process.returncode == INTERRUPTED
    assert output == "Interrupted; run the same command again to go on.\n"


def test_many_campaigns_are_read_in_order(cli: CommandLine) -> None:
    async def submit_many(ledger: Installation) -> None:
        for number in range(103):  # more than are read in one go
            await ledger.submitted(1, a_campaign(id=f"c-{number:03}"))

    cli.prepare(submit_many)
    lines = cli.run("status").stdout.splitlines()
    assert [line.split()[0] for line in lines[1:-1]] == [f"c-{n:03}" for n in range(103)]
