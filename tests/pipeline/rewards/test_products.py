from collections.abc import Sequence
from decimal import Decimal

import pytest

from pipeline.domain.campaign import Reward
from pipeline.rewards.models import Product, read_products
from pipeline.rewards.products import ProductCatalog, check_product
from pipeline.store.keys import products_key
from pipeline.store.product_cache import ProductCache
from tests.support.redis import Redis
from tests.support.server_clock import server_time

CVS: dict[str, object] = {
    "Id": "CVS",
    "Name": "CVS Pharmacy",
    "Denominations": [5, 10, 25.5],
    "DenominationType": "Fixed",
    "AvailableDeliveryTypes": ["DigitalDelivery", "Links"],
    "CurrencyCode": "USD",
}
ACCOUNT = "0123456789abcdef"


def _check(product: dict[str, object], value: str = "10.00", currency: str | None = None) -> str:
    reward = Reward(product_id="CVS", value=Decimal(value), currency=currency)
    return check_product(read_products([product]), reward) or ""


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"Denominations": None},
        {"Denominations": []},
        {"Denominations": [{"Amount": 5}]},
        {"Denominations": [5], "DenominationType": "Variable"},
        {"Denominations": [5], "DenominationType": None},
        {"AvailableDeliveryTypes": None},
        {"AvailableDeliveryTypes": ["links"]},
        {"CurrencyCode": None},
        {"CurrencyCode": "usd "},
    ],
)
def test_a_product_that_does_not_say_no_can_be_ordered(change: dict[str, object]) -> None:
    assert _check({**CVS, **change}, currency="USD") == ""


@pytest.mark.parametrize("value", ["5", "10.00", "25.50"])
def test_a_denomination_is_compared_as_a_number(value: str) -> None:
    assert _check(CVS, value) == ""


def test_a_value_that_is_not_offered_is_answered_with_those_that_are() -> None:
    expected = 'product "CVS" has no value 10.01; choose one of 5, 10, 25.5.'
    assert _check(CVS, "10.01") == expected


def test_a_product_without_links_is_refused() -> None:
    complaint = _check({**CVS, "AvailableDeliveryTypes": ["PhysicalShipment"]})
    assert "cannot be ordered as claim links, only as PhysicalShipment" in complaint


def test_another_currency_is_refused() -> None:
    assert "is in CAD, not in USD" in _check({**CVS, "CurrencyCode": "CAD"}, currency="USD")
    assert _check({**CVS, "CurrencyCode": "CAD"}) == ""


@pytest.mark.parametrize("wanted", ["cvs", "CVSS", "cvs pharmacy", "CVS-Pharmacy"])
def test_an_unknown_product_is_answered_with_the_nearest(wanted: str) -> None:
    products = read_products([CVS, {"Id": "WMT", "Name": "Walmart"}])
    reward = Reward(product_id=wanted, value=Decimal(10))
    assert check_product(products, reward) == (
        f'product "{wanted}" is not offered by this account; the nearest are "CVS" (CVS Pharmacy).'
    )


def test_nothing_near_says_so() -> None:
    complaint = check_product([], Reward(product_id="CVS", value=Decimal(10)))
    assert complaint == (
        'product "CVS" is not offered by this account; correct reward.product_id.'
    )


def test_one_good_product_among_those_of_the_same_id_is_enough() -> None:
    products = read_products([{**CVS, "CurrencyCode": "CAD"}, CVS])
    assert (
        check_product(products, Reward(product_id="CVS", value=Decimal(5), currency="USD")) is None
    )


class Api:
    """The answers of the API in turn; the last one for ever."""

    def __init__(self, *answers: Sequence[dict[str, object]]) -> None:
        self.answers = [read_products(list(answer)) for answer in answers]
        self.asked = 0

    async def __call__(self) -> list[Product]:
        self.asked += 1
        return self.answers[min(self.asked, len(self.answers)) - 1]


async def test_products_are_asked_for_once_a_week_by_the_whole_fleet(redis: Redis) -> None:
    api = Api([CVS])
    began = await server_time(redis)
    for _ in range(3):
        products = await ProductCatalog(ProductCache(redis, ACCOUNT), fetch=api).get()
        assert products == api.answers[0]
    assert api.asked == 1
    left = await redis.pttl(products_key(ACCOUNT)) / 1000
    took = await server_time(redis) - began
    assert 604_800 - took - 0.01 <= left <= 604_800


async def test_two_accounts_do_not_share_products(redis: Redis) -> None:
    await ProductCatalog(ProductCache(redis, ACCOUNT), fetch=Api([CVS])).get()
    assert await ProductCatalog(ProductCache(redis, "other"), fetch=Api([])).get() == []


async def test_fresh_products_replace_the_cached_ones(redis: Redis) -> None:
    campaign_cache = ProductCatalog(
        ProductCache(redis, ACCOUNT), fetch=Api([CVS], [{"Id": "WMT"}])
    )
    assert [each.id for each in await campaign_cache.get()] == ["CVS"]
    assert [each.id for each in await campaign_cache.get(fresh=True)] == ["WMT"]
    assert [each.id for each in await campaign_cache.get()] == ["WMT"]


async def test_an_empty_answer_is_not_kept_for_a_week(redis: Redis) -> None:
    campaign_cache = ProductCatalog(ProductCache(redis, ACCOUNT), fetch=Api([], [CVS]))
    assert await campaign_cache.get() == []
    assert len(await campaign_cache.get()) == 1


async def test_a_damaged_cache_is_read_anew(redis: Redis) -> None:
    await redis.set(products_key(ACCOUNT), b"{")
    assert len(await ProductCatalog(ProductCache(redis, ACCOUNT), fetch=Api([CVS])).get()) == 1


async def test_a_reward_is_not_refused_by_what_was_cached(redis: Redis) -> None:
    api = Api([{"Id": "WMT"}], [CVS])
    campaign_cache = ProductCatalog(ProductCache(redis, ACCOUNT), fetch=api)
    await campaign_cache.get()
    assert await campaign_cache.check(Reward(product_id="CVS", value=Decimal(10))) is None
    assert await campaign_cache.check(Reward(product_id="CVS", value=Decimal(10))) is None
    assert api.asked == 2
    assert "no value 11" in str(
        await campaign_cache.check(Reward(product_id="CVS", value=Decimal(11)))
    )
