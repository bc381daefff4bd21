"""What real servers hold is in the dictionary, and what is in the dictionary they hold."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.docs.data_model import fleet_life, life
from tests.docs.data_model.dictionary.campaign_fields import CAMPAIGN
from tests.docs.data_model.dictionary.hashes import field_of
from tests.docs.data_model.looking import Seen
from tests.docs.data_model.tables import doing
from tests.pipeline.ledger import a_campaign, open_ledger, people, submit
from tests.stored_data.test_stored_data import KEPT
from tests.support.redis import Redis
from worker.valkey.embedded import EmbeddedValkey


@pytest.fixture(params=KEPT, ids=lambda folder: folder.name)
def kept_url(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[str]:
    """The URL of a server with a copy of what an earlier program stored."""
    shutil.copytree(request.param / "state", tmp_path / "state")
    with EmbeddedValkey(tmp_path / "state") as server:
        yield server.start_or_join()


async def test_a_ledger_that_everything_happens_to_is_as_documented(redis: Redis) -> None:
    seen, ledger = Seen(), open_ledger(redis)

    async def look() -> None:
        await seen.look(redis)

    await fleet_life.begin(ledger)
    await life.live(ledger, look)
    await fleet_life.live(ledger, look)
    assert seen.wrong == set()
    assert seen.missing == set()


async def test_what_an_earlier_program_stored_is_as_documented(kept_url: str) -> None:
    seen = Seen()
    async with Redis.from_url(kept_url) as redis:
        await seen.look(redis)
    assert seen.wrong == set()
    assert {("KEYRING", "digest"), ("ledger_key", "<index>"), ("resends_key", "<index>")} <= (
        seen.found
    )


async def test_what_is_set_by_the_commit_and_by_the_staging_is_there_from_the_start(
    redis: Redis,
) -> None:
    ledger = open_ledger(redis)
    serial = await submit(ledger, a_campaign(), [people(1)])
    found = {field_of("campaign_key", name) for name in await ledger.counters(serial)}
    assert found == {
        field
        for field in CAMPAIGN
        if field.python or "commit" in doing("campaign_key", field, "sets")
    }


async def test_a_key_a_field_and_a_value_that_are_not_documented_are_told(redis: Redis) -> None:
    await redis.set("cc:7:new", "x")
    await redis.set("cc:7:k:1", "in clear")
    await redis.set("cc:ids", "not a hash")
    await redis.hset("cc:7:b:1", "new", "x")
    seen = Seen()
    await seen.look(redis)
    assert seen.wrong == {
        "b'cc:7:new' is a key that nobody knows",
        "b'cc:7:k:1': sealed is False",
        "b'cc:ids' is a b'string'",
        "b'cc:7:b:1' has a field that nobody knows: new",
    }
