"""Why a batch is held, or what is noted about one that was ended without its links."""

from pipeline.domain.codes.reason import HELD, NOTHING, REORDER, Reason

_ASK = "Ask the rewards provider what became of the order"
_DEAD = f"if the provider says that the order is dead, {REORDER} orders anew for its people."
_READ_AGAIN = f"{_ASK}, then run {HELD} to read it again; {_DEAD}"
_PATH = (
    "Set CLAIMCAST_REWARDS__LINKS_PATH to where the links are, restart the workers, then run "
    f"{HELD}; {_DEAD}"
)


def _hold(code: str, meaning: str, action: str, by_itself: str = NOTHING) -> Reason:
    return Reason(code, "hold", meaning, by_itself, action)


HOLDS = (
    _hold(
        "foreign_order",
        "the PO number was used before, by an order that this installation has no record of",
        "Make sure that no other installation hands out the links of that order, then run "
        "`claimcast retry {campaign} --held --adopt`; if they are somebody else's, "
        f"{REORDER} orders anew under another PO number.",
    ),
    _hold(
        "duplicate_without_id",
        "the API says that the PO number was used before, but not by which order",
        f"{_ASK} under this PO number, then run {HELD} to ask again; {_DEAD}",
    ),
    _hold(
        "order_differs",
        "the order at the API is not what was ordered (product, value, quantity or PO number)",
        f"{_ASK}; once it is right there, run {HELD}; {_DEAD}",
    ),
    _hold(
        "order_changed",
        "another content was stored under this PO number before, so nothing was ordered",
        "Run `claimcast verify {campaign}`, and do not order this batch elsewhere; "
        f"{REORDER} orders anew under another PO number.",
    ),
    _hold("order_failed", "the API says that the order failed or was cancelled", _READ_AGAIN),
    _hold(
        "order_overdue",
        "the order is not finished after CLAIMCAST_REWARDS__OVERDUE",
        f"{_ASK}; {HELD} reads it at once; {_DEAD}",
        "It is read every quarter of an hour, and goes on as soon as its links are there.",
    ),
    _hold("order_not_found", "the API does not know the order that it confirmed", _READ_AGAIN),
    _hold("links_missing", "the order is complete, but shows no links", _READ_AGAIN),
    _hold("links_short", "the order is complete, but shows fewer links than ordered", _READ_AGAIN),
    _hold("links_many", "the order shows more links than ordered", _READ_AGAIN),
    _hold("links_duplicate", "the order shows a link twice", _READ_AGAIN),
    _hold("links_not_https", "a link of the order is no proper https address", _READ_AGAIN),
    _hold("links_ambiguous", "more than one place in the order may hold the links", _PATH),
    _hold("links_mixed_origins", "the links of the order lead to different hosts", _PATH),
    _hold("links_path_invalid", "CLAIMCAST_REWARDS__LINKS_PATH does not lead to links", _PATH),
    _hold(
        "links_seen_before",
        "a link of the order was received before, in another batch",
        f"Do not send it by hand: it is somebody's already. {_READ_AGAIN}",
    ),
    _hold(
        "worker_deaths",
        "five workers died while they had this batch, the last three while doing nothing else",
        "Look at how they ended (memory, the system's log), mend the cause, then run "
        f"{HELD}; `claimcast recipient` shows when they died.",
    ),
    _hold(
        "damaged",
        "what rests of this batch cannot be decrypted, though no key is missing",
        "Run `claimcast verify {campaign}` to see what is damaged, restore it from a copy of "
        f"Redis, then run {HELD}.",
    ),
    _hold(
        "uncertain",
        "messages may or may not have arrived, and are not repeated by themselves",
        "Look at the people with `claimcast report {campaign}`, then send the same links to them "
        "again with `claimcast retry {campaign} --uncertain`.",
    ),
)

NOTES = (
    Reason(
        "reordered",
        "note",
        "the order was dead, and its people were ordered for once more in another batch",
        "Nothing: whatever the dead order still gives is handed to nobody.",
        "Ask the rewards provider for the money if the dead order was paid.",
    ),
    Reason(
        "order_unknown",
        "note",
        "the campaign was cancelled while the answer to an order was lost",
        "Nothing: it is not posted again.",
        "Ask the rewards provider whether the order exists; its links were handed to nobody.",
    ),
)
