"""The order of a batch and its PO number never change."""

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from pipeline.rewards.models import OrderRequest
from pipeline.stages.order_request import po_number

ids = st.from_regex(r"\A[a-z0-9][a-z0-9-]{0,39}\Z")


def test_po_numbers_have_never_changed() -> None:
    assert po_number("survey-2026-11", 7) == "CC-survey-2026-11-00007"
    assert po_number("a", 123456) == "CC-a-123456"


def test_the_hash_of_an_order_has_never_changed() -> None:
    request = OrderRequest(
        po_number="CC-a-00001", product_id="CVS", value=Decimal("10.00"), quantity=100
    )
    assert request.payload_hash() == (
        "db759030381c6dd09871af293ffe36903847dd9a004b1e57d7352eb37baa192b"
    )


@given(st.tuples(ids, st.integers(1, 10**6)), st.tuples(ids, st.integers(1, 10**6)))
def test_no_two_batches_share_a_po_number(one: tuple[str, int], two: tuple[str, int]) -> None:
    assert (po_number(*one) == po_number(*two)) == (one == two)
    assert len(po_number(*one)) <= 100
