"""The limiter under any order of requests, cooldowns and changes of its rate."""

import pytest

from pipeline.domain.rate import Rate
from tests.pipeline.ledger import open_ledger
from tests.pipeline.store.machines.conftest import Run
from tests.pipeline.store.machines.limiter_machine import LimiterMachine
from tests.support.redis import Redis


def test_no_order_of_requests_gets_more_than_allowed_or_waits_for_ever(
    run_machine: Run,
) -> None:
    run_machine(LimiterMachine, examples=60, steps=25)


@pytest.mark.parametrize("new", ["7/s", "30/s", "11/s", "99999/s"])
async def test_a_new_rate_gives_a_permit_at_once_whatever_its_fractions(
    redis: Redis, new: str
) -> None:
    limiter = open_ledger(redis, email="1/h").limiter
    assert (await limiter.acquire("email")).granted == 1
    await limiter.set_rate("email", Rate.parse(new))
    assert (await limiter.acquire("email")).granted == 1
