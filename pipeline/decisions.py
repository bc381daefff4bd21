"""The rules of the pipeline and nothing else: no clock, no network, no Redis, no chance."""

from dataclasses import dataclass
from functools import lru_cache

from pipeline.domain.batch import Batch
from pipeline.domain.errors import (
    AbandonedError,
    BlockedError,
    CredentialsError,
    DeliveryError,
    DuplicateOrderError,
    FundsError,
    OrderNotFoundError,
    PermanentError,
    RefusedError,
    RewardsError,
    RewardsUnavailableError,
    TransientError,
)
from pipeline.domain.models import BatchState, FactKind, Receipt
from pipeline.rewards.links import LinksProblem
from pipeline.rewards.statuses import Progress

_DOUBT_SECONDS = 600  # a 404 or missing links are read again for ten minutes (design.md, stages)
_SLOW_READ = 900.0  # an overdue order is still read, every quarter of an hour
_API_CAP = 60.0
_LOOKS = 3
_LOOKED = "looked_"
# Each try uses up two, so one batch alone takes three tries. The first may have served until then;
# where one token in ten ends early, five more that never serve come once in 100,000 tokens.
_TOKENS_REFUSED = 6
_WAITED = 2
_MOST_REPEATS = 4  # a message whose answer is lost four times is left for a person to judge


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
    counter: str = ""
    hush: float = 0.0  # silence that the API asked of everybody


@dataclass(frozen=True, slots=True)
class Hold:
    """Only a person, or for an overdue order the API, can move this batch on."""

    reason: str
    missing: int = 0
    reread: float = 0.0


@dataclass(frozen=True, slots=True)
class Block:
    """Ordering of the whole campaign stops; one batch probes after *probe_after* (0: never)."""

    reason: str
    words: str = ""
    probe_after: float = 0.0


@dataclass(frozen=True, slots=True)
class Adopt:
    """The PO number is taken by this order, which may be ours: read it and compare."""

    order_id: str


OrderStep = Placed | Wait | Hold | Block | Adopt
ReadStep = Received | Wait | Hold | Block


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """
    Spacing of the transient failures of one delivery: doubling from *first* up to *cap*.

    `tries` is how many of them fit into *give_up*; counting tries, not hours, means that an outage
    of the provider costs a recipient nothing.
    """

    first: float
    cap: float
    give_up: float

    def delay(self, tries: int, jitter: float = 0.5) -> float:
        """Return seconds before the next attempt after *tries* failures; *jitter* in [0, 1)."""
        # The exponent is clamped first: 2.0**1100 raises OverflowError.
        full = min(self.first * 2.0 ** min(max(tries, 1) - 1, 40), self.cap)
        return full * (0.75 + 0.5 * jitter)

    @property
    def tries(self) -> int:
        return _tries(self.first, self.cap, self.give_up)


@lru_cache
def _tries(first: float, cap: float, give_up: float) -> int:
    policy = RetryPolicy(first=first, cap=cap, give_up=give_up)
    spent, tries = 0.0, 0
    while spent < give_up and tries < 10_000:
        tries += 1
        spent += policy.delay(tries)
    return max(tries, 1)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one attempt means for its delivery: the kind and code of the fact to record."""

    kind: FactKind
    code: str = ""
    delay: float = 0.0


def decide_delivery(
    outcome: Receipt | DeliveryError,
    *,
    tries: int,
    attempt: int,
    breaker_open: bool,
    policy: RetryPolicy,
    jitter: float,
    look_every: float | None = None,
) -> Verdict:
    """
    Map the outcome of one attempt to a fact.

    *tries* counts the transient failures so far, *attempt* all attempts, this one included. What
    is the provider's fault costs no try; only a recipient who alone meets it, time and again
    while the provider serves others, is given up in the end. *look_every* is the seconds between
    looks for an uncertain message, None where the provider cannot be asked.
    """
    last = tries + 1 >= policy.tries
    match outcome:
        case Receipt():
            return Verdict("s")
        case PermanentError(code=code, fallback=fallback):
            return Verdict("f" if fallback else "o", code)
        case TransientError() if last:
            return Verdict("f", "gave_up")
        case TransientError(code=code, retry_after=retry_after):
            return Verdict("p", code, max(retry_after or 0.0, policy.delay(tries + 1, jitter)))
        case BlockedError() if not breaker_open and attempt >= policy.tries:
            return Verdict("f", "gave_up")
        case BlockedError(code=code):
            return Verdict("r", code, policy.delay(attempt, jitter))
        case AbandonedError(code=code):
            return Verdict("r", code)
        case _ if last or tries + 1 >= _MOST_REPEATS:
            return Verdict("u", "unconfirmed")
        case _ if look_every is not None:
            return Verdict("u", outcome.code, look_every / 12)
        case _:
            return Verdict("u", outcome.code, policy.delay(tries + 1, jitter))


def decide_look(
    found: Receipt | DeliveryError | None, code: str, *, resends: bool, every: float
) -> Verdict:
    """
    Map what the provider knows of an uncertain message to a fact.

    *code* is the delivery's, in which the looks are counted; *every* the seconds between them.
    "Not there" counts after three looks; then the campaign's policy decides.
    """
    match found:
        case Receipt():
            return Verdict("s")
        case PermanentError(code=why, fallback=fallback):
            return Verdict("f" if fallback else "o", why)
        case BlockedError(code=why):
            return Verdict("o", why)
        case DeliveryError(code=why):
            # The provider has it and will not try again, however passing the cause was.
            return Verdict("f", why)
        case None:
            pass
    looks = 1 + looks_made(code)
    if looks < _LOOKS:
        return Verdict("l", f"{_LOOKED}{looks}", every)
    return Verdict("n") if resends else Verdict("l", "unconfirmed")


def looks_made(code: str) -> int:
    """Return how often the provider was asked about an uncertain delivery with this code."""
    return int(code.removeprefix(_LOOKED)) if code.startswith(_LOOKED) else 0


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
        case DuplicateOrderError(order_id=str(order_id)) if posts_before > 0 or batch.adopt:
            return Adopt(order_id)
        case DuplicateOrderError():
            return Hold("foreign_order")
        case FundsError():
            return Block("insufficient_funds", "", probe_delay(funds_probe, probes, jitter))
        case RefusedError(detail=words):
            return Block("order_refused", words)
        case CredentialsError(code=code, tokens_refused=refused) if _is_wrong(refused, batch):
            return Block("credentials", code)
        case RewardsUnavailableError(retry_after=retry_after, code=code):
            delay = api_delay(batch.fails, retry_after, jitter)
            return Wait(delay, "fails", hush=delay if _asked_for_silence(code) else 0.0)
        case _:
            return Wait(api_delay(batch.fails, None, jitter), "fails")


def decide_adoption(order_id: str, difference: str | None) -> OrderStep:
    """Adopt the order found under our PO number if nothing that it shows differs from ours."""
    return Placed(order_id) if difference is None else Hold("order_differs")


def decide_read(
    outcome: Progress | tuple[str, ...] | LinksProblem | Hold | RewardsError,
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
        case Progress.FAILED:
            return Hold("order_failed", missing=batch.size)
        case Progress():
            return _unfinished(batch, now_ms, overdue, webhooks=webhooks)
        case OrderNotFoundError():
            return _doubted(batch, now_ms) or Hold("order_not_found")
        case CredentialsError(code=code, tokens_refused=refused) if _is_wrong(refused, batch):
            return Block("credentials", code)
        case RewardsUnavailableError(retry_after=retry_after, code=code):
            delay = api_delay(batch.fails, retry_after, jitter)
            return Wait(delay, "fails", hush=delay if _asked_for_silence(code) else 0.0)
        case _:
            return Wait(api_delay(batch.fails, None, jitter), "fails")


def _is_wrong(tokens_refused: int | None, batch: Batch) -> bool:
    if tokens_refused is None:
        return True
    # Batches beside each other see six refusals in an instant: one of them must have waited.
    return tokens_refused >= _TOKENS_REFUSED and batch.fails >= _WAITED


def _asked_for_silence(code: str) -> bool:
    return code.endswith("429")


def _doubted(batch: Batch, now_ms: int) -> Wait | None:
    """Read again for ten minutes what looks wrong and may still come right."""
    if batch.odd_since_ms and now_ms - batch.odd_since_ms > _DOUBT_SECONDS * 1000:
        return None
    return Wait(read_delay(batch.size, batch.odd), "odd")


def _unfinished(batch: Batch, now_ms: int, overdue: float, *, webhooks: bool) -> Wait | Hold:
    if batch.state is BatchState.HELD:
        return Wait(_SLOW_READ)
    if batch.placed_ms and now_ms - batch.placed_ms > overdue * 1000:
        return Hold("order_overdue", reread=_SLOW_READ)
    return Wait(read_delay(batch.size, batch.polls, webhooks=webhooks), "polls")
