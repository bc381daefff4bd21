"""People forgotten while their campaign is being sent, and a campaign purged after it."""

import asyncio
from collections.abc import Sequence

from redis import Redis

from pipeline.operations.erase_recipient import RecipientEraser
from pipeline.views.timeline import Timelines
from tests.end_to_end.support.world import World, opened_values
from tests.pipeline.installation import Installation
from tests.support.redis import Redis as AsyncRedis
from tests.support.waiting import wait_until_sync
from worker.valkey.embedded import EmbeddedValkey

PEOPLE = 240
ASKED = [f"r{n}" for n in range(0, PEOPLE, 4)]
"""The people who ask to be forgotten: some in every batch, sent to or not."""


def address(recipient: str) -> str:
    return f"person-{recipient[1:]}@example.com"


def test_people_forgotten_in_flight_get_nothing_and_leave_nothing(world: World) -> None:
    world.env |= {"CLAIMCAST_LIMITS__EMAIL": "3/s", "CLAIMCAST_BATCH_SIZE": "20"}
    files = world.campaign(PEOPLE)
    run = world.start("run", *files, "--yes")
    late = set(map(address, ASKED))
    wait_until_sync(lambda: sum(mail.to in late for mail in world.mails()) >= 3)
    unsent = asyncio.run(forget(world, ASKED))
    assert 10 < len(unsent) < len(ASKED), "some must have been in time, and some too late"
    world.run("limits", "set", "email", "unlimited")
    run.communicate(timeout=120)
    assert run.returncode == 0

    mails = world.mails()
    others = {address(f"r{n}") for n in range(PEOPLE)} - set(map(address, unsent))
    assert sorted(mail.to for mail in mails) == sorted(others), "everybody else, exactly once"
    status = world.status()
    assert status["deliveries"]["skipped"] == len(unsent)
    assert status["people"] == {"reached": PEOPLE, "not_reached": 0, "open": 0}
    assert "every invariant holds" in world.run("verify", "e2e", "--remote")

    sent = {link for mail in mails for link in mail.links}
    ordered = {link for order in world.account()["orders"] for link in order["links"]}
    lost = ordered - sent
    assert len(lost) == len(unsent)
    resting = everything(world)
    assert address("r1").encode() in resting, "the values were not opened"
    assert not [who for who in ASKED if address(who).encode() in resting]
    assert not [link for link in lost if link.encode() in resting]

    world.run("run", *files, "--yes")
    assert len(world.mails()) == len(mails), "the same files bring nobody back"

    world.run("purge", "e2e", "--yes")
    resting = everything(world)
    assert b"@example.com" not in resting
    assert not [link for link in ordered if link.encode() in resting]
    assert "every invariant holds" in world.run("verify", "e2e", "--remote")
    world.run("run", *files, "--yes", code=2)
    assert len(world.mails()) == len(mails)


async def forget(world: World, recipients: Sequence[str]) -> set[str]:
    """
    Do what the command does, without the time that as many processes take to start.

    Returns those to whom no message had been started.
    """
    with EmbeddedValkey(world.directory / "state") as server:
        async with AsyncRedis.from_url(server.start_or_join()) as redis:
            ledger = await Installation.opened(redis, secret(world))
            forgetting = RecipientEraser(
                ledger.pages, ledger.campaigns, ledger.erasures, ledger.vault
            )
            timelines = Timelines(ledger.pages, ledger.campaigns, ledger.vault)
            snapshot = await ledger.snapshot(await ledger.campaigns.find("e2e") or "")
            await asyncio.gather(*(forgetting.forget(snapshot, who) for who in recipients))
            stories = [await timelines.of(snapshot, who) for who in recipients]
    return {
        story["recipient"] for story in stories if story["deliveries"][0]["status"] == "skipped"
    }


def everything(world: World) -> bytes:
    """Return all that rests in Redis, opened with the keys."""
    with (
        EmbeddedValkey(world.directory / "state") as server,
        Redis.from_url(server.start_or_join()) as redis,
    ):
        return opened_values(redis, secret(world))


def secret(world: World) -> str:
    return (world.directory / "state" / "secret.keys").read_text("utf-8").strip()
