"""The list says whether an address is on it and why, and never which addresses are."""

import pytest

from pipeline.domain.models import ChannelName
from pipeline.store.suppressions import Suppressions
from tests.pipeline.ledger import Ledger
from tests.support.redis import Redis

EMAIL, SMS = ChannelName.EMAIL, ChannelName.SMS


@pytest.fixture
def suppressions(ledger: Ledger) -> Suppressions:
    return Suppressions(ledger.redis, ledger.vault)


async def test_an_address_is_on_the_list_until_it_is_removed(suppressions: Suppressions) -> None:
    assert await suppressions.reasons([(EMAIL, "a@example.com")]) == [None]
    assert await suppressions.add(EMAIL, "a@example.com", "bounce_5.1.1")
    assert await suppressions.reasons([(EMAIL, "a@example.com")]) == ["bounce_5.1.1"]
    assert await suppressions.remove(EMAIL, "a@example.com")
    assert not await suppressions.remove(EMAIL, "a@example.com")
    assert await suppressions.reasons([(EMAIL, "a@example.com")]) == [None]


async def test_the_first_reason_stays(suppressions: Suppressions) -> None:
    assert await suppressions.add(EMAIL, "a@example.com", "operator")
    assert not await suppressions.add(EMAIL, "a@example.com", "unsubscribed")
    assert await suppressions.reasons([(EMAIL, "a@example.com")]) == ["operator"]


async def test_many_are_added_in_one_go_and_the_new_ones_counted(
    suppressions: Suppressions,
) -> None:
    await suppressions.add(EMAIL, "a@example.com", "operator")
    both = ["A@example.com", "b@example.com"]
    assert await suppressions.add_all(EMAIL, both, "import") == 1
    assert await suppressions.add_all(EMAIL, both, "import") == 0
    assert await suppressions.add_all(EMAIL, [], "import") == 0
    assert await suppressions.reasons([(EMAIL, each) for each in both]) == ["operator", "import"]


async def test_letter_case_makes_no_other_mailbox(suppressions: Suppressions) -> None:
    await suppressions.add(EMAIL, "Ada@Example.com", "operator")
    assert await suppressions.reasons([(EMAIL, " ada@example.COM ")]) == ["operator"]


async def test_one_channel_says_nothing_about_another(suppressions: Suppressions) -> None:
    await suppressions.add(SMS, "+14155552671", "opt-out")
    asked = [(EMAIL, "+14155552671"), (SMS, "+14155552671"), (SMS, "+14155552672")]
    assert await suppressions.reasons(asked) == [None, "opt-out", None]
    assert await suppressions.reasons([]) == []


async def test_it_is_counted_by_reason(suppressions: Suppressions) -> None:
    for number in range(30):
        reason = "operator" if number % 3 else "opt-out"
        await suppressions.add(EMAIL, f"p{number}@example.com", reason)
    assert await suppressions.count() == {"operator": 20, "opt-out": 10}


async def test_nothing_in_redis_shows_an_address(
    suppressions: Suppressions, ledger: Ledger, redis: Redis
) -> None:
    await suppressions.add(EMAIL, "ada@example.com", "operator")
    async for key in redis.scan_iter(match="*"):
        assert b"ada" not in key
        for field, value in (await redis.hgetall(key)).items():
            assert b"ada" not in field + value
    others = Suppressions(redis, ledger.vault.with_digest_key(b"o" * 32))
    assert await others.reasons([(EMAIL, "ada@example.com")]) == [None]
