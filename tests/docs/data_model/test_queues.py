"""While a real worker works, arq keeps what is documented, and no key that is not."""

import asyncio
import json
import re
from pathlib import Path

import pytest
from arq import constants

from pipeline.store.codec import decode_unit
from tests.docs.data_model.dictionary.arq_keys import ARQ
from tests.docs.data_model.looking import Seen
from tests.end_to_end.support.world import open_world
from tests.support.redis import Redis
from worker.executor.queue import connection
from worker.valkey.embedded import EmbeddedValkey

_CAMPAIGN = {
    "id": "upstream",
    "name": "From upstream",
    "reward": {"product_id": "CVS", "value": "10.00"},
    "delivery": {"channels": ["email"]},
    "email": {"subject": "Reward", "text": "{{ link }}"},
    "recipients": [{"id": f"r{n}", "email": f"person-{n}@example.com"} for n in range(250)],
}


def test_arq_makes_its_keys_as_documented() -> None:
    for key in ARQ:
        assert getattr(constants, key.name) in key.pattern


# The connection of a test is closed by a name that redis-py calls old.
@pytest.mark.filterwarnings("ignore:Call to deprecated close:DeprecationWarning")
async def test_what_arq_keeps_while_a_worker_works_is_as_documented(tmp_path: Path) -> None:
    with open_world(tmp_path) as here, EmbeddedValkey(tmp_path / "state") as server:
        url = server.start_or_join()
        async with connection(url) as queue, Redis.from_url(url) as redis:
            seen, jobs = Seen(), set[str]()
            await queue.enqueue_job("submit_campaign", _CAMPAIGN)
            await seen.look(redis)
            here.start("worker")
            async with asyncio.timeout(120):
                while seen.missing_of_arq or not jobs:
                    await seen.look(redis)
                    jobs |= await _jobs_of_units(redis)
                    assert seen.wrong == set()
    assert all(re.fullmatch(r"\d+:\d+:[ors]:\d+", job) for job in jobs), jobs


async def _jobs_of_units(redis: Redis) -> set[str]:
    """Return the ids of the jobs that work units; each is made of the first one's."""
    found = set()
    async for key in redis.scan_iter(match="arq:job:*"):
        job = json.loads(await redis.get(key) or b"{}")
        if job.get("f") == "run_units":
            units = [decode_unit(item) for item in job["a"][0]]
            assert units
            assert None not in units
            job_id = key.decode().removeprefix("arq:job:")
            assert job_id == ":".join(map(str, job["a"][0][0]))
            found.add(job_id)
    return found
