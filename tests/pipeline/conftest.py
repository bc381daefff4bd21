"""The ledger for every test of the pipeline that asks for it."""

import pytest

from tests.pipeline.ledger import Ledger, open_ledger
from tests.support.redis import Redis


@pytest.fixture
def ledger(redis: Redis) -> Ledger:
    """The stores over an empty database, without limits."""
    return open_ledger(redis)
