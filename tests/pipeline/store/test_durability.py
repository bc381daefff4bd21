"""What is to be on disk is waited for, and written again after a restart that may have lost it."""

from typing import Any, cast

import pytest

from pipeline.store.deliveries import IntentRequest
from pipeline.store.durability import EverySecond
from tests.pipeline.ledger import EMAIL, a_campaign, fulfilled, open_ledger, people, submit
from tests.support.redis import Redis
from worker.wiring.redis import syncs_of

QUIET = {"aof_pending_bio_fsync": 0, "aof_last_write_status": "ok"}
SYNCING = QUIET | {"aof_pending_bio_fsync": 1}
FULL = QUIET | {"aof_last_write_status": "err"}


class Server:
    """Answers INFO as a server that was seen in these states; the last of each stays."""

    def __init__(self, *states: dict[str, Any], runs: str = "a") -> None:
        self._answers = {"persistence": list(states), "server": [{"run_id": run} for run in runs]}
        self.said: list[str] = []

    async def info(self, section: str) -> dict[str, Any]:
        self.said.append(section)
        answers = self._answers[section]
        return answers.pop(0) if len(answers) > 1 else answers[0]

    async def write(self) -> int:
        self.said.append("write")
        return self.said.count("write")


async def written(server: Server) -> int:
    return await EverySecond(cast("Redis", server), sync_seconds=0).until_on_disk(server.write)


@pytest.mark.parametrize(
    ("states", "looks"),
    [
        ([QUIET], 2),
        ([SYNCING, SYNCING, QUIET], 4),
        # Between the end of an earlier sync and the begin of the one that counts.
        ([SYNCING, QUIET, SYNCING, QUIET], 5),
        ([QUIET, SYNCING, QUIET], 4),
        ([FULL, FULL, QUIET], 4),
    ],
)
async def test_a_write_counts_once_no_sync_is_under_way_and_none_failed(
    states: list[dict[str, Any]], looks: int
) -> None:
    server = Server(*states)
    assert await written(server) == 1
    assert server.said == ["server", "write", *(["persistence"] * looks), "server"]


@pytest.mark.parametrize(("runs", "writes"), [("aa", 1), ("abbb", 2), ("abbccc", 3)])
async def test_after_a_restart_the_write_is_repeated(runs: str, writes: int) -> None:
    assert await written(Server(QUIET, runs=runs)) == writes


async def infos(redis: Redis) -> int:
    """Return how often INFO was asked of the server, with this time."""
    return int((await redis.info("commandstats"))["cmdstat_info"]["calls"])


async def test_a_server_that_syncs_every_write_is_asked_nothing(redis: Redis) -> None:
    assert await syncs_of(redis) is None
    ledger = open_ledger(redis)
    await redis.info()
    before = await infos(redis)
    found = await fulfilled(ledger, await submit(ledger, a_campaign(), [people(2)]))
    assert await ledger.deliveries.intend(found, [IntentRequest(0, EMAIL, 0)]) == [1]
    assert await infos(redis) == before + 1


@pytest.mark.parametrize(
    ("option", "value", "waits"),
    [("appendfsync", "everysec", True), ("appendfsync", "no", False), ("appendonly", "no", False)],
)
async def test_only_a_server_that_syncs_later_is_waited_for(
    redis: Redis, option: str, value: str, *, waits: bool
) -> None:
    safe = (await redis.config_get(option))[option]
    await redis.config_set(option, value)
    try:
        assert (await syncs_of(redis) is not None) is waits
    finally:
        await redis.config_set(option, safe)


async def test_a_server_that_hides_its_configuration_is_waited_for(
    redis: Redis, valkey_url: str
) -> None:
    await redis.acl_setuser("hosted", enabled=True, nopass=True, commands=["+@all", "-config"])
    try:
        async with Redis.from_url(valkey_url, username="hosted", password="any") as guest:
            assert await syncs_of(guest) is not None
    finally:
        await redis.acl_deluser("hosted")
