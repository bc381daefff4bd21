"""A scripted API, and a client of it that shares its token in a real Valkey."""

from collections.abc import AsyncIterator

import httpx
import pytest
from cryptography.fernet import Fernet

from pipeline.domain.vault import Vault
from pipeline.rewards.account import Account
from pipeline.rewards.client import RewardsClient, http_client
from pipeline.rewards.tokens import FleetToken
from pipeline.store.fleet.token_cache import TokenCache
from pipeline.store.scripts import Scripts
from tests.pipeline.rewards.upstream import Upstream, reply, running
from tests.support.redis import Redis

ACCESS_TOKEN = "Access-Token-0123456789"
BEARER = "bearer-number-1"


@pytest.fixture
def vault() -> Vault:
    return Vault([Fernet.generate_key().decode()])


@pytest.fixture
async def upstream() -> AsyncIterator[Upstream]:
    async with running() as upstream:
        upstream.on("POST /v1/Tokens", reply(200, {"Value": BEARER, "ExpiresIn": 3600}))
        yield upstream


@pytest.fixture
def account(upstream: Upstream) -> Account:
    return Account(base_url=upstream.base_url, email="ops@example.com", access_token=ACCESS_TOKEN)


@pytest.fixture
async def http(upstream: Upstream) -> AsyncIterator[httpx.AsyncClient]:
    async with http_client(upstream.base_url, 240.0) as http:
        yield http


def a_client(
    http: httpx.AsyncClient, account: Account, redis: Redis, vault: Vault, **options: float
) -> RewardsClient:
    """Return a client that shares its token with every other one of the account."""
    cache = TokenCache(redis, Scripts(redis), vault, account.digest)
    return RewardsClient(http, account, lambda fetch: FleetToken(cache, fetch, **options))


@pytest.fixture
def client(http: httpx.AsyncClient, account: Account, redis: Redis, vault: Vault) -> RewardsClient:
    return a_client(http, account, redis, vault)
