"""The hash of a batch, read: which field holds what of it."""

from collections.abc import Mapping

from pipeline.domain.batch import Batch, BatchHold, BatchLease, BatchOrder, BatchReplacement, Lane
from pipeline.domain.models import BatchState
from pipeline.store.codec import LANE


def decode_batch_fields(fields: Mapping[str, str]) -> Batch:
    """Return the batch; raises KeyError or ValueError if the hash is not that of one."""
    return Batch(
        state=BatchState(fields["st"]),
        plan=fields["plan"],
        fulfilled_ms=_number(fields, "tf"),
        note=fields.get("note"),
        spare=fields.get("spare") == "1",
        erased=_erased(fields.get("gone", "")),
        order=_order(fields),
        lease=BatchLease(
            dispatch_number=_number(fields, "turn"),
            leased="tok" in fields,
            woken="woken" in fields,
            deaths=_deaths(fields.get("died", "")),
        ),
        replacement=BatchReplacement(
            into=_number(fields, "into"),
            origin=_number(fields, "from"),
            dead=fields.get("dead"),
            at_ms=_number(fields, "tr"),
            ordered_for=_number(fields, "qty"),
        ),
        hold=BatchHold(reason=fields.get("why"), since_ms=_number(fields, "th")),
    )


def _order(fields: Mapping[str, str]) -> BatchOrder:
    return BatchOrder(
        po_number=fields.get("po"),
        payload_hash=fields.get("ph"),
        posts=_number(fields, "posts"),
        interrupted="post" in fields,
        id=fields.get("oid"),
        first_post_ms=_number(fields, "to"),
        placed_ms=_number(fields, "tp"),
        adopt=fields.get("adopt") == "1",
        missing=_number(fields, "missing"),
        polls=_number(fields, "polls"),
        fails=_number(fields, "fails"),
        odd=_number(fields, "odd"),
        odd_since_ms=_number(fields, "odd:at"),
    )


def _number(fields: Mapping[str, str], name: str) -> int:
    return int(fields.get(name, 0))


def _deaths(text: str) -> tuple[tuple[Lane, int], ...]:
    return tuple((LANE[died[0]], int(died[1:])) for died in text.split())


def _erased(text: str) -> dict[int, int]:
    pairs = (pair.partition(":") for pair in text.split())
    return {int(index): int(at) for index, _, at in pairs}
