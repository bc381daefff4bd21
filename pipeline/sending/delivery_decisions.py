"""Decides what the outcome of an attempt means for a delivery; no clock, network or chance."""

from dataclasses import dataclass
from functools import lru_cache

from pipeline.domain.errors import (
    AbandonedError,
    BlockedError,
    DeliveryError,
    PermanentError,
    TransientError,
)
from pipeline.domain.models import FactKind, Receipt

_LOOKS = 3
_LOOKED = "looked_"
_MOST_REPEATS = (
    4  # a message whose answer is lost four times is left uncertain, for a person to decide
)


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
        """Return how many transient failures end the delivery."""
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
class DeliveryDecision:
    """What one attempt means for its delivery: the kind, code and delay (s) of its fact."""

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
) -> DeliveryDecision:
    """
    Map the outcome of one attempt to a fact.

    *tries* counts the transient failures so far, *attempt* all attempts, this one included. A
    failure of the provider costs no try. A recipient who alone meets such failures, while the
    provider serves others, is given up in the end. *look_every* is the seconds between searches
    for an uncertain message, None where the provider cannot be asked.
    """
    last = tries + 1 >= policy.tries
    match outcome:
        case Receipt():
            return DeliveryDecision(FactKind.SENT)
        case PermanentError(code=code, fallback=fallback):
            return DeliveryDecision(
                FactKind.FAILED if fallback else FactKind.FAILED_OUTRIGHT, code
            )
        case TransientError() if last:
            return DeliveryDecision(FactKind.FAILED, "gave_up")
        case TransientError(code=code, retry_after=retry_after):
            return DeliveryDecision(
                FactKind.DEFERRED, code, max(retry_after or 0.0, policy.delay(tries + 1, jitter))
            )
        case BlockedError() if not breaker_open and attempt >= policy.tries:
            return DeliveryDecision(FactKind.FAILED, "gave_up")
        case BlockedError(code=code):
            return DeliveryDecision(FactKind.RELEASED, code, policy.delay(attempt, jitter))
        case AbandonedError(code=code):
            return DeliveryDecision(FactKind.RELEASED, code)
        case _ if last or tries + 1 >= _MOST_REPEATS:
            return DeliveryDecision(FactKind.UNCERTAIN, "unconfirmed")
        case _ if look_every is not None:
            return DeliveryDecision(FactKind.UNCERTAIN, outcome.code, look_every / 12)
        case _:
            return DeliveryDecision(
                FactKind.UNCERTAIN, outcome.code, policy.delay(tries + 1, jitter)
            )


def decide_look(
    found: Receipt | DeliveryError | None, code: str, *, resends: bool, every: float
) -> DeliveryDecision:
    """
    Map what the provider knows of an uncertain message to a fact.

    *code* is the code of the delivery, which counts the searches; *every* is the seconds between
    them. "Not there" counts after three searches; then the campaign's policy decides.
    """
    match found:
        case Receipt():
            return DeliveryDecision(FactKind.SENT)
        case PermanentError(code=why, fallback=fallback):
            return DeliveryDecision(FactKind.FAILED if fallback else FactKind.FAILED_OUTRIGHT, why)
        case BlockedError(code=why):
            return DeliveryDecision(FactKind.FAILED_OUTRIGHT, why)
        case DeliveryError(code=why):
            # The provider has the message and will not try again, even if the cause was temporary.
            return DeliveryDecision(FactKind.FAILED, why)
        case None:
            pass
    looks = 1 + looks_made(code)
    if looks < _LOOKS:
        return DeliveryDecision(FactKind.LOOKED_FOR, f"{_LOOKED}{looks}", every)
    return (
        DeliveryDecision(FactKind.NOT_FOUND)
        if resends
        else DeliveryDecision(FactKind.LOOKED_FOR, "unconfirmed")
    )


def looks_made(code: str) -> int:
    """Return how often the provider was asked about an uncertain delivery with this code."""
    return int(code.removeprefix(_LOOKED)) if code.startswith(_LOOKED) else 0
