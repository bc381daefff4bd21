"""The products of the account, cached for a week, and the check of a reward against them."""

from collections.abc import Awaitable, Callable, Sequence
from difflib import get_close_matches

from pydantic import ValidationError

from pipeline.domain.campaign import Reward
from pipeline.domain.safe_text import clean
from pipeline.rewards.models import Product, Products
from pipeline.store.product_cache import ProductCache

_NEAREST = 3
_SHOWN_VALUES = 20


class ProductCatalog:
    """The products of one account, which *fetch* reads and *cache* keeps."""

    def __init__(
        self, cache: ProductCache, *, fetch: Callable[[], Awaitable[list[Product]]]
    ) -> None:
        self._cache = cache
        self._fetch = fetch

    async def get(self, *, fresh: bool = False) -> list[Product]:
        """
        Return the products; with *fresh* read them again, as after an order was refused.

        Raises what *fetch* and the cache raise; may be called any number of times.
        """
        cached = None if fresh else _readable(await self._cache.read())
        if cached is not None:
            return cached
        products = await self._fetch()
        # An empty list is more likely a mishap than a week without products.
        if products:
            await self._cache.write(Products.dump_json(products))
        return products

    async def check(self, reward: Reward) -> str | None:
        """Check *reward* as `check_product` does; before a no, it reads the products anew."""
        if check_product(await self.get(), reward) is None:
            return None
        return check_product(await self.get(fresh=True), reward)


def _readable(cached: bytes | None) -> list[Product] | None:
    if cached is None:
        return None
    try:
        return Products.validate_json(cached)
    except ValidationError:
        return None


def check_product(products: Sequence[Product], reward: Reward) -> str | None:
    """
    Return None if *reward* can be ordered, else one sentence on what to change.

    What a product does not show is not checked: the API has the last word anyway.
    """
    same = [product for product in products if product.id == reward.product_id]
    if not same:
        return _unknown(products, reward.product_id)
    complaints = [_complaint(product, reward) for product in same]
    return None if None in complaints else complaints[0]


def _complaint(product: Product, reward: Reward) -> str | None:
    name = f'product "{clean(product.id, 80)}"'
    if product.delivery_types and not _includes(product.delivery_types, "links"):
        kinds = clean(", ".join(product.delivery_types))
        return f"{name} cannot be ordered as claim links, only as {kinds}; choose another product."
    if not _is_denomination(product, reward):
        values = ", ".join(format(each, "f") for each in (product.denominations or ()))
        return f"{name} has no value {reward.value}; choose one of {clean(values)}."
    if reward.currency and product.currency_code and not _same_currency(product, reward):
        code = clean(product.currency_code, 20)
        return f"{name} is in {code}, not in {reward.currency}; correct reward.currency."
    return None


def _is_denomination(product: Product, reward: Reward) -> bool:
    fixed = (product.denomination_type or "").strip().casefold() == "fixed"
    return not fixed or not product.denominations or reward.value in product.denominations


def _same_currency(product: Product, reward: Reward) -> bool:
    return (product.currency_code or "").strip().upper() == reward.currency


def _includes(words: Sequence[str], wanted: str) -> bool:
    return wanted in {word.strip().casefold() for word in words}


def _unknown(products: Sequence[Product], wanted: str) -> str:
    by_word = {word.casefold(): product for product in products for word in _words(product)}
    near = get_close_matches(wanted.casefold(), by_word, n=2 * _NEAREST)
    names = dict.fromkeys(_named(by_word[word]) for word in near)
    sentence = f'product "{clean(wanted, 80)}" is not offered by this account'
    if not names:
        return f"{sentence}; correct reward.product_id."
    return f"{sentence}; the nearest are {', '.join(list(names)[:_NEAREST])}."


def _words(product: Product) -> list[str]:
    return [word for word in (product.name, product.id) if word]


def _named(product: Product) -> str:
    name = f" ({clean(product.name, 60)})" if product.name else ""
    return f'"{clean(product.id, 80)}"{name}'
