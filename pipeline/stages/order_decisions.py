"""Decides what each answer of the rewards API means for a batch; no clock, network or chance."""

from dataclasses import dataclass

from pipeline.domain.batch import Batch, WaitCounter
from pipeline.domain.errors import (
    CredentialsError,
    DuplicateOrderError,
    FundsError,
    OrderNotFoundError,
    RefusedError,
    RewardsError,
    RewardsUnavailableError,
)
from pipeline.domain.models import BatchState
from pipeline.rewards.links import LinksProblem
from pipeline.rewards.statuses import OrderProgress

_DOUBT_SECONDS = 600  # see "Reading an order" in docs/internals/ordering.md
_SLOW_READ = 900.0  # an overdue order is still read, every quarter of an hour
_API_CAP = 60.0
# Each try uses two tokens, so one batch alone takes three tries. The first token may have worked
# before. If one token in ten ends early, five in a row that never work come once in 100,000.
_TOKENS_REFUSED = 6
_WAITED = 2


@dataclass(frozen=True, slots=True)
class Placed:
    """The API has the order."""

    order_id: str


@dataclass(frozen=True, slots=True)
class Received:
    """The order is complete and holds exactly its links."""

    links: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing to do for *delay* seconds; *counter* says what later delays grow with."""

    delay: float
    counter: WaitCounter | None = None
    cool_down: float = 0.0  # seconds for which the API asked the whole fleet to wait


@dataclass(frozen=True, slots=True)
class Hold:
    """The batch is held until a person, or for an overdue order the API, resolves it."""

    reason: str
    missing: int = 0
    reread: float = 0.0


@dataclass(frozen=True, slots=True)
class BlockOrdering:
    """Ordering stops for the whole campaign; one batch probes after *probe_after* (0: never)."""

    reason: str
    words: str = ""
    probe_after: float = 0.0


@dataclass(frozen=True, slots=True)
class Adopt:
    """The PO number is taken by this order, which may be ours: read it and compare."""

    order_id: str


OrderStep = Placed | Wait | Hold | BlockOrdering | Adopt
ReadStep = Received | Wait | Hold | BlockOrdering


def api_delay(failures: int, retry_after: float | None, jitter: float) -> float:
    """Return seconds before a failed call is repeated: full jitter, capped at a minute."""
    return max(retry_after or 0.0, 0.1, jitter * min(2.0 ** min(failures, 10), _API_CAP))


def read_delay(quantity: int, polls: int, *, webhooks: bool = False) -> float:
    """
    Return seconds before an unfinished order is read again; grows with its size and age.

    With *webhooks* the API says when it is complete, and reading is the slow safety net.
    """
    if webhooks:
        return min(30.0 * 1.6 ** min(polls, 20), 10 * _API_CAP)
    return min((0.25 + quantity / 200) * 1.6 ** min(polls, 20), _API_CAP)


def probe_delay(first: float, probes: int, jitter: float) -> float:
    """Return seconds until one batch tries again for funds: 1 to 15 times *first*."""
    return min(first * 2.0 ** min(probes, 6), first * 15) * (0.8 + 0.2 * jitter)


def decide_order(
    outcome: RewardsError | str,
    batch: Batch,
    *,
    posts_before: int,
    probes: int,
    funds_probe: float,
    jitter: float,
) -> OrderStep:
    """
    Map the answer to a POST (the new order's id, or what went wrong) to the batch's next step.

    *posts_before* is how many POSTs of this PO number our ledger had recorded before this one: an
    order that we may have placed can be adopted, any other is foreign. A 401 blocks only if no
    token is given out, or if the API refused six tokens in a row to the fleet and gave nobody
    another answer meanwhile; other failures do not count.
    """
    match outcome:
        case str(order_id):
            return Placed(order_id)
        case DuplicateOrderError(order_id=None):
            return Hold("duplicate_without_id")
        case DuplicateOrderError(order_id=str(order_id)) if posts_before > 0 or batch.order.adopt:
            return Adopt(order_id)
        case DuplicateOrderError():
            return Hold("foreign_order")
        case FundsError():
            return BlockOrdering(
                "insufficient_funds", "", probe_delay(funds_probe, probes, jitter)
            )
        case RefusedError(detail=words):
            return BlockOrdering("order_refused", words)
        case CredentialsError(code=code, tokens_refused=refused) if _is_wrong(refused, batch):
            return BlockOrdering("credentials", code)
        case RewardsUnavailableError(retry_after=retry_after, code=code):
            delay = api_delay(batch.order.fails, retry_after, jitter)
            return Wait(
                delay, WaitCounter.FAILS, cool_down=delay if _asked_for_silence(code) else 0.0
            )
        case _:
            return Wait(api_delay(batch.order.fails, None, jitter), WaitCounter.FAILS)


def decide_adoption(order_id: str, difference: str | None) -> OrderStep:
    """Adopt the order found under our PO number if nothing that it shows differs from ours."""
    return Placed(order_id) if difference is None else Hold("order_differs")


def decide_read(
    outcome: OrderProgress | tuple[str, ...] | LinksProblem | Hold | RewardsError,
    batch: Batch,
    *,
    now_ms: int,
    overdue: float,
    jitter: float,
    webhooks: bool = False,
) -> ReadStep:
    """
    Map what reading an order gave (its links, or how far it is, or what went wrong) to a step.

    *overdue* is the age in seconds at which an unfinished order is held. A 401 is judged as in
    `decide_order`.
    """
    match outcome:
        case tuple():
            return Received(outcome)
        case Hold():
            return outcome
        case LinksProblem(code="links_short" | "links_missing", found=found):
            doubt = _doubted(batch, now_ms)
            return doubt or Hold(outcome.code, missing=batch.size - found)
        case LinksProblem(code=code):
            return Hold(code)
        case OrderProgress.FAILED:
            return Hold("order_failed", missing=batch.size)
        case OrderProgress():
            return _unfinished(batch, now_ms, overdue, webhooks=webhooks)
        case OrderNotFoundError():
            return _doubted(batch, now_ms) or Hold("order_not_found")
        case CredentialsError(code=code, tokens_refused=refused) if _is_wrong(refused, batch):
            return BlockOrdering("credentials", code)
        case RewardsUnavailableError(retry_after=retry_after, code=code):
            delay = api_delay(batch.order.fails, retry_after, jitter)
            return Wait(
                delay, WaitCounter.FAILS, cool_down=delay if _asked_for_silence(code) else 0.0
            )
        case _:
            return Wait(api_delay(batch.order.fails, None, jitter), WaitCounter.FAILS)


def _is_wrong(tokens_refused: int | None, batch: Batch) -> bool:
    if tokens_refused is None:
        return True
    # Parallel batches see six refusals in an instant, so one of them must have waited before.
    return tokens_refused >= _TOKENS_REFUSED and batch.order.fails >= _WAITED


def _asked_for_silence(code: str) -> bool:
    return code.endswith("429")


def _doubted(batch: Batch, now_ms: int) -> Wait | None:
    """Read again for ten minutes an order that looks wrong and may still become right."""
    if batch.order.odd_since_ms and now_ms - batch.order.odd_since_ms > _DOUBT_SECONDS * 1000:
        return None
    return Wait(read_delay(batch.size, batch.order.odd), WaitCounter.ODD)


def _unfinished(batch: Batch, now_ms: int, overdue: float, *, webhooks: bool) -> Wait | Hold:
    if batch.state is BatchState.HELD:
        return Wait(_SLOW_READ)
    if batch.order.placed_ms and now_ms - batch.order.placed_ms > overdue * 1000:
        return Hold("order_overdue", reread=_SLOW_READ)
    return Wait(read_delay(batch.size, batch.order.polls, webhooks=webhooks), WaitCounter.POLLS)
