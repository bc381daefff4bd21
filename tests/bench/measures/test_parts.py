"""The harness itself, with a few people."""

import asyncio
import math
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.measures import small
from bench.measures.ceiling import with_aiosmtplib
from bench.measures.plain_mail import plain_mail
from bench.measures.sending import worked
from bench.measures.session import QUICK, Session, Sizes
from bench.report.figures import Results
from bench.report.recorded import KEY
from bench.world.installation import open_installation, open_world
from bench.world.people import HTML, SUBJECT, TEXT, name_of, write_files
from pipeline.domain.campaign import Campaign
from pipeline.intake.campaign_file import load_campaign
from pipeline.intake.recipients import read_recipients

PEOPLE = 120


@pytest.fixture
def directory() -> Iterator[Path]:
    """A folder that another user may enter, which `smtp-sink` becomes when root starts it."""
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        found = Path(name)
        found.chmod(0o755)
        yield found


def loaded(path: Path) -> Campaign:
    campaign, problems = load_campaign(path)
    assert campaign is not None, problems
    return campaign


@pytest.mark.parametrize("channel", ["email", "sms"])
def test_the_files_of_a_campaign_are_valid(tmp_path: Path, channel: str) -> None:
    files = write_files(tmp_path, "b-1", 30, channel=channel, phones=True, email_limit="5/s")
    campaign = loaded(files.campaign)
    with files.recipients.open("rb") as stream:
        intake = read_recipients(stream, campaign, name="list")
        people = list(intake)
    assert len(people) == 30
    assert not intake.summary.problems
    assert not any(name_of(10).isascii() for _ in people)


def test_plain_arq_sends_the_same_text() -> None:
    values = {"name": "Zoë", "answers": "3", "link": "https://claim.example/1"}
    message = plain_mail("zoe@example.com", "Zoë", values["link"], 3)

    def filled(template: str) -> str:
        for name, value in values.items():
            template = template.replace("{{ " + name + " }}", value)
        return template

    text, html = message.get_body(["plain"]), message.get_body(["html"])
    assert text is not None
    assert html is not None
    assert message["Subject"] == filled(SUBJECT)
    assert text.get_content() == filled(TEXT)
    assert html.get_content().strip() == filled(HTML)


def test_quick_is_smaller_in_everything() -> None:
    for name in Sizes.__slots__:
        assert getattr(QUICK, name) < getattr(Sizes(), name), name


async def test_a_campaign_is_worked_in_an_installation_of_its_own(directory: Path) -> None:
    async with open_world(directory / "world", "own") as world:
        async with open_installation(world, "one") as installation:
            serial, began = await installation.paused(PEOPLE), time.monotonic()
            cost = await worked(installation, serial, 1)
            took = time.monotonic() - began
            snapshot = await installation.app.campaigns.snapshot(serial)
            assert snapshot.people()["reached"] == PEOPLE
            assert 0 < cost.drained.seconds < took
            assert cost.cpu > 0
            assert cost.peak > 10_000_000
        assert len(await asyncio.to_thread(list, (directory / "world" / "one").glob("*.log"))) > 1
    moments = (directory / "world" / "moments.txt").read_text("utf-8").splitlines()
    assert len(moments) == PEOPLE


async def test_what_ci_compares_with_is_a_ratio_per_round(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(small, "PEOPLE", PEOPLE)
    monkeypatch.setattr(small, "ROUNDS", 2)
    results = Results(machine={})
    session = Session(
        directory=directory, sizes=QUICK, sink="auto", results=results, say=lambda _: None
    )
    await small.measure(session)
    figure = results.figure(KEY)
    assert figure is not None
    assert len(figure.values) == 2
    assert all(0 < value < math.inf for value in figure.values)


async def test_the_ceiling_sends_everything(directory: Path) -> None:
    async with open_world(directory / "world", "own") as world:
        seconds, cpu = await with_aiosmtplib(world.sink.port, 50, 5)
    assert seconds > 0
    assert cpu > 0
    assert len((directory / "world" / "moments.txt").read_text("utf-8").splitlines()) == 50
