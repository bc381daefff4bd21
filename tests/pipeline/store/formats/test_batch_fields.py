"""The hash of a batch, read into its parts."""

import pytest

from pipeline.domain.batch import Batch, BatchHold, BatchLease, BatchOrder, BatchReplacement, Lane
from pipeline.domain.models import BatchState
from pipeline.store.formats.batch_fields import decode_batch_fields
from tests.pipeline.ledger import Ledger, a_campaign, placed, submit, taken

LEAST = {"st": "planned", "plan": "13"}


def test_every_field_has_its_place() -> None:
    fields = {
        "st": "held",
        "plan": "113",
        "tf": "1",
        "note": "n",
        "spare": "1",
        "gone": "0:7 2:8",
        "po": "PO",
        "ph": "h",
        "posts": "2",
        "post": "nonce",
        "oid": "o",
        "to": "3",
        "tp": "4",
        "adopt": "1",
        "missing": "5",
        "polls": "6",
        "fails": "7",
        "odd": "8",
        "odd:at": "9",
        "turn": "10",
        "tok": "t",
        "woken": "1",
        "died": "o11 s12",
        "into": "13",
        "from": "14",
        "dead": "d",
        "tr": "15",
        "qty": "16",
        "why": "w",
        "th": "17",
    }
    assert decode_batch_fields(fields) == Batch(
        state=BatchState.HELD,
        plan="113",
        fulfilled_ms=1,
        note="n",
        spare=True,
        erased={0: 7, 2: 8},
        order=BatchOrder(
            po_number="PO",
            payload_hash="h",
            posts=2,
            interrupted=True,
            id="o",
            first_post_ms=3,
            placed_ms=4,
            adopt=True,
            missing=5,
            polls=6,
            fails=7,
            odd=8,
            odd_since_ms=9,
        ),
        lease=BatchLease(
            dispatch_number=10, leased=True, woken=True, deaths=((Lane.ORDER, 11), (Lane.SEND, 12))
        ),
        replacement=BatchReplacement(into=13, origin=14, dead="d", at_ms=15, ordered_for=16),
        hold=BatchHold(reason="w", since_ms=17),
    )


def test_an_event_that_never_happened_has_no_field() -> None:
    assert decode_batch_fields(LEAST) == Batch(state=BatchState.PLANNED, plan="13")


@pytest.mark.parametrize(
    "fields",
    [
        *({}, {"st": "planned"}, {"plan": "1"}, LEAST | {"st": "nonsense"}),
        *(LEAST | {"turn": "x"}, LEAST | {"died": "z1"}, LEAST | {"gone": "x:1"}),
    ],
)
def test_a_malformed_batch_is_refused(fields: dict[str, str]) -> None:
    with pytest.raises((KeyError, ValueError)):
        decode_batch_fields(fields)


async def test_it_is_read_as_the_verbs_write_it(ledger: Ledger) -> None:
    serial = await submit(ledger, a_campaign())
    await placed(ledger, serial)
    found = decode_batch_fields(await ledger.fields(serial, 1))
    assert (found.state, found.size, found.quantity) == (BatchState.ORDERED, 1, 1)
    assert (found.order.po_number, found.order.id) == (f"PO-{serial}-1", f"order-{serial}-1")
    assert (found.order.posts, found.order.interrupted) == (1, False)
    assert 0 < found.order.first_post_ms <= found.order.placed_ms
    assert found.lease.dispatch_number == 2, "one for the order, one to read it"
    assert found.lease.leased
    assert found.hold == BatchHold()
    other = await submit(ledger, a_campaign("other"))
    await ledger.batches.hold(await taken(ledger, other), "damaged", missing=0, reread=0)
    held = decode_batch_fields(await ledger.fields(other, 1))
    assert (held.state, held.hold.reason, held.lease.leased) == (BatchState.HELD, "damaged", False)
    assert held.hold.since_ms > 0
