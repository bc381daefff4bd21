"""The client and the rules together, against the sandbox's rewards API."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from decimal import Decimal
from pathlib import Path
from typing import get_args

import pytest

from pipeline.domain.campaign import Reward
from pipeline.domain.errors import DuplicateOrderError, FundsError, RewardsUnavailableError
from pipeline.domain.vault import Vault
from pipeline.rewards.account import Account
from pipeline.rewards.client import RewardsClient, http_client
from pipeline.rewards.links import LinksProblem, extract_links
from pipeline.rewards.models import OrderRequest, order_difference
from pipeline.rewards.products import ProductCatalog
from pipeline.rewards.statuses import OrderProgress, order_progress
from pipeline.store.product_cache import ProductCache
from sandbox.faults import Faults
from sandbox.options import LinkShape, SandboxOptions
from sandbox.server import running
from tests.pipeline.rewards.conftest import a_client
from tests.support.redis import Redis

REQUEST = OrderRequest(po_number="c-1", product_id="CVS", value=Decimal("10.00"), quantity=3)
SHAPES = get_args(LinkShape)

Connect = Callable[..., AbstractAsyncContextManager[RewardsClient]]


def cleared() -> None:
    return None


@pytest.fixture
def connect(tmp_path: Path, redis: Redis, vault: Vault) -> Connect:
    """Return what runs a sandbox with these options and connects to it."""

    @asynccontextmanager
    async def connected(**options: object) -> AsyncIterator[RewardsClient]:
        async with running(SandboxOptions(directory=tmp_path, **options)) as sandbox:  # type: ignore[arg-type]
            account = Account(
                base_url=sandbox.base_url, email=sandbox.email, access_token=sandbox.access_token
            )
            async with http_client(sandbox.base_url, 240.0) as http:
                yield a_client(http, account, redis, vault)

    return connected


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("faults", [Faults(), Faults(extra_urls=1.0)])
async def test_links_are_found_in_every_shape(
    connect: Connect, shape: LinkShape, faults: Faults
) -> None:
    async with connect(link_shape=shape, faults=faults) as client:
        order = await client.create_order(REQUEST, cleared)
        assert order_progress(order.status, ["completed"], ["failed"]) is OrderProgress.COMPLETED
        assert order_difference(order, REQUEST) is None
        links = extract_links(order.document, 3, path=None)
        assert len(set(links)) == 3
        assert extract_links((await client.read_order(order.id)).document, 3, path=None) == links


@pytest.mark.parametrize(
    ("faults", "code"),
    [
        (Faults(short_order=1.0), "links_short"),
        (Faults(duplicate_link=1.0), "links_duplicate"),
    ],
)
async def test_an_order_that_is_not_right_releases_nothing(
    connect: Connect, faults: Faults, code: str
) -> None:
    async with connect(faults=faults) as client:
        order = await client.create_order(REQUEST, cleared)
        with pytest.raises(LinksProblem) as caught:
            extract_links(order.document, 3, path=None)
        assert caught.value.code == code


async def test_an_order_whose_answer_was_lost_is_found_by_its_po_number(connect: Connect) -> None:
    for fault in ("order_504_after_commit", "order_reset_after_commit"):
        request = REQUEST.model_copy(update={"po_number": fault})
        async with connect(faults=Faults.model_validate({fault: 1.0})) as client:
            with pytest.raises(RewardsUnavailableError) as lost:
                await client.create_order(request, cleared)
            assert lost.value.sent
        async with connect() as client:
            with pytest.raises(DuplicateOrderError) as caught:
                await client.create_order(request, cleared)
            order = await client.read_order(caught.value.order_id or "")
        assert order_difference(order, request) is None
        other = request.model_copy(update={"quantity": 2})
        assert order_difference(order, other) == "the quantity is 3 instead of 2"


async def test_an_order_that_nobody_can_pay_is_a_matter_of_funds(connect: Connect) -> None:
    async with connect(funds=Decimal("29.99")) as client:
        with pytest.raises(FundsError):
            await client.create_order(REQUEST, cleared)


async def test_the_catalog_tells_what_can_be_ordered(connect: Connect, redis: Redis) -> None:
    async with connect() as client:
        campaign_cache = ProductCatalog(ProductCache(redis, "x"), fetch=client.products)
        assert await campaign_cache.check(Reward(product_id="CVS", value=Decimal(10))) is None
        assert "has no value" in str(
            await campaign_cache.check(Reward(product_id="CVS", value=Decimal("10.01")))
        )
        assert '"CVS"' in str(
            await campaign_cache.check(Reward(product_id="CSV", value=Decimal(10)))
        )
