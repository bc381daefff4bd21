"""An upstream system enqueues a campaign with nothing but arq: docs/integrate/arq.md."""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from redis import Redis

from tests.end_to_end.support.world import World, judge, live_values
from tests.support.waiting import wait_until_sync
from worker.valkey.embedded import EmbeddedValkey

PEOPLE = 250
UPSTREAM = """
import asyncio, json, sys
from arq import create_pool
from arq.connections import RedisSettings

async def main():
    pool = await create_pool(
        RedisSettings.from_dsn(sys.argv[1]),
        job_serializer=lambda d: json.dumps(d).encode(),
        job_deserializer=json.loads,
        default_queue_name="claimcast",
    )
    campaign = json.load(open(sys.argv[2]))
    job = await pool.enqueue_job("submit_campaign", campaign)
    print(json.dumps(await job.result(timeout=120)))

asyncio.run(main())
"""


@pytest.fixture
def valkey(world: World) -> Iterator[str]:
    """The server of the installation, with one worker at work."""
    with EmbeddedValkey(world.directory / "state") as server:
        url = server.start_or_join()
        worker = world.start("worker", log="worker.log")
        yield url
        worker.send_signal(signal.SIGTERM)
        worker.communicate(timeout=120)


def enqueue(world: World, url: str, **changes: object) -> dict[str, Any]:
    campaign = {
        "id": "upstream",
        "name": "From upstream",
        "reward": {"product_id": "CVS", "value": "10.00"},
        "delivery": {"channels": ["email"]},
        "email": {"subject": "Reward", "text": "Hello {{ name }}: {{ link }}"},
        "recipients": [
            {"id": f"r{n}", "email": f"person-{n}@example.com", "name": f"Zoë Nº{n}"}
            for n in range(PEOPLE)
        ],
    } | changes
    file = world.directory / "job.json"
    file.write_text(json.dumps(campaign), "utf-8")
    done = subprocess.run(
        [sys.executable, "-c", UPSTREAM, url, str(file)],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_an_enqueued_campaign_is_worked_and_its_job_keeps_no_address(
    world: World, valkey: str
) -> None:
    answer = enqueue(world, valkey)

    assert answer["campaign"] == "upstream"
    assert answer["state"] in {"running", "finished"}
    wait_until_sync(lambda: world.status("upstream")["state"] == "finished")
    judge(world, PEOPLE)
    with Redis.from_url(valkey) as redis:
        resting = live_values(redis)
    assert b"person-" not in resting
    assert "Zoë".encode() not in resting
    log = (world.directory / "worker.log").read_bytes()
    assert b"person-" not in log


def test_enqueued_again_it_is_the_same_campaign_and_changed_it_is_refused(
    world: World, valkey: str
) -> None:
    enqueue(world, valkey)
    wait_until_sync(lambda: world.status("upstream")["state"] == "finished")

    assert enqueue(world, valkey) == {"campaign": "upstream", "state": "finished"}
    refused = enqueue(world, valkey, name="Another name")

    assert "`name` differs" in refused["error"]
    judge(world, PEOPLE)


def test_a_campaign_that_cannot_be_used_is_answered_with_a_sentence(
    world: World, valkey: str
) -> None:
    for changes, words in [
        ({"recipients": []}, "campaign.recipients must be a list"),
        ({"recipients": [{"id": "a", "email": "nobody"}]}, "is not an e-mail address"),
        ({"reward": {"product_id": "CVS", "value": 10.0}}, "as a string"),
        ({"id": "Bad Id"}, "id"),
        ({"typo": 1}, "typo"),
    ]:
        assert words in enqueue(world, valkey, **changes)["error"]  # type: ignore[arg-type]
    assert world.account()["orders"] == []
