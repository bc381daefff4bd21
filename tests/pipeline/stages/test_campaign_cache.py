"""The cache of a worker returns the definition of the right campaign."""

from pipeline.stages.campaign_cache import CampaignCache
from tests.pipeline.ledger import Ledger, a_campaign, submit, taken
from tests.support.redis import Redis


async def test_the_cache_distinguishes_two_campaigns_with_one_serial(
    ledger: Ledger, redis: Redis
) -> None:
    campaign_cache = CampaignCache(ledger.campaigns, {})
    assert await submit(ledger, a_campaign("first")) == "1"
    assert (await campaign_cache.of(await taken(ledger, "1"))).campaign.id == "first"
    await redis.flushdb()  # as a restart without what was not on disk yet
    assert await submit(ledger, a_campaign("second")) == "1"
    assert (await campaign_cache.of(await taken(ledger, "1"))).campaign.id == "second"
