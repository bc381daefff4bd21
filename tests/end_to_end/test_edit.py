"""A mistake in the text, found in flight: people written to keep it, others get the new one."""

import asyncio
import json
import mailbox
import signal
from pathlib import Path
from typing import Any

import pytest

from config.settings import load_settings
from pipeline.views.timeline import Timelines
from tests.end_to_end.support.world import World, judge, open_world
from tests.support.waiting import wait_until_sync
from worker.wiring.engine import open_app

PEOPLE = 500
TYPO, RIGHT = "Your rewrad: {{ id }}", "Your reward: {{ id }}"


def subjects(world: World) -> dict[str, list[str]]:
    """Return the subjects that each recipient got, by id, as they stand in the Maildir."""
    found: dict[str, list[str]] = {}
    for message in mailbox.Maildir(world.addresses["maildir"], create=False):
        subject = str(message["Subject"])
        found.setdefault(subject.rpartition(" ")[2], []).append(subject)
    return found


def said(world: World, monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """Return which version the timeline of each recipient says that they got."""
    for name, value in world.env.items():
        monkeypatch.setenv(name, value)

    async def versions() -> dict[str, int]:
        async with open_app(load_settings(None)) as app:
            timelines = Timelines(app.pages, app.campaigns, app.vault)
            snapshot = await app.campaigns.snapshot(str(await app.campaigns.find("e2e")))
            return {
                f"r{n}": _version(await timelines.of(snapshot, f"r{n}")) for n in range(PEOPLE)
            }

    return asyncio.run(versions())


def _version(document: dict[str, Any]) -> int:
    (delivery,) = document["deliveries"]
    assert delivery["status"] == "sent"
    found: int = delivery["version"]
    return found


def test_an_edit_in_flight_changes_what_was_not_sent_yet_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_world(tmp_path, "--keep", "maildir") as world:
        toml, people = map(Path, world.campaign(PEOPLE))
        right = toml.read_text("utf-8").replace("Your reward, {{ name }}", RIGHT)
        # Slow enough that a pause comes in time, however busy this machine is; the edit ends it.
        wrong = right.replace(RIGHT, TYPO) + '\n[limits]\nemail = "4/s"\n'
        toml.write_text(wrong, "utf-8")
        world.env["CLAIMCAST_BATCH_SIZE"] = "20"
        world.run("submit", str(toml), str(people))
        worker = world.start("worker", log="worker.log")
        wait_until_sync(lambda: len(world.mails()) >= 5)

        world.run("pause", "e2e")
        toml.write_text(right, "utf-8")
        world.run("edit", "e2e", str(toml))
        # What was on the wire at the pause arrives.
        wait_until_sync(lambda: world.status()["deliveries"]["sending"] == 0)
        before = len(world.mails())
        world.run("resume", "e2e")
        # The first file again: it goes on, with the new text.
        toml.write_text(wrong, "utf-8")
        world.run("submit", str(toml), str(people), "--wait")
        worker.send_signal(signal.SIGTERM)
        worker.communicate(timeout=120)

        judge(world, PEOPLE)
        got = subjects(world)
        assert set(got) == {f"r{n}" for n in range(PEOPLE)}
        assert all(len(each) == 1 for each in got.values())
        sent = {person: 1 if "rewrad" in subject else 2 for person, (subject,) in got.items()}
        assert sum(version == 1 for version in sent.values()) == before
        assert before < PEOPLE
        assert said(world, monkeypatch) == sent
        early = next(person for person, version in sent.items() if version == 1)
        events = json.loads(world.run("recipient", "e2e", early, "--json"))["events"]
        assert "email: attempt 1 started with version 1" in [each["event"] for each in events]
        world.run("verify", "e2e")
