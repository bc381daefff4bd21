"""Decisions about outcomes of attempts, without I/O: thousands of cases take no time."""

from hypothesis import given
from hypothesis import strategies as st

from pipeline.domain.errors import (
    AbandonedError,
    BlockedError,
    DeliveryError,
    PermanentError,
    TransientError,
    UncertainError,
)
from pipeline.domain.models import FactKind, Receipt
from pipeline.sending.delivery_decisions import RetryPolicy, decide_delivery

jitters = st.floats(0, 1, exclude_max=True)
policies = st.builds(
    RetryPolicy,
    first=st.floats(0.1, 100),
    cap=st.floats(100, 10_000),
    give_up=st.floats(1, 200_000),
)
counts = st.integers(0, 5000)


@given(policy=policies, tries=st.integers(1, 5000), jitter=jitters)
def test_delays_grow_up_to_the_cap(policy: RetryPolicy, tries: int, jitter: float) -> None:
    delay = policy.delay(tries, jitter)
    assert 0 < delay <= policy.cap * 1.25
    assert delay <= policy.delay(tries + 1, jitter)


@given(policy=policies)
def test_the_tries_fill_the_time_and_no_more(policy: RetryPolicy) -> None:
    spent = sum(policy.delay(n) for n in range(1, policy.tries + 1))
    assert policy.tries == 1 or spent - policy.delay(policy.tries) < policy.give_up <= spent


deliveries = st.sampled_from(
    [
        Receipt(),
        TransientError("t"),
        TransientError("t", retry_after=7000),
        PermanentError("smtp_550"),
        UncertainError("timeout"),
        BlockedError("smtp_auth"),
        BlockedError("smtp_auth", fatal=True),
        AbandonedError("halted"),
        DeliveryError("internal_error"),
    ]
)


@given(
    outcome=deliveries,
    tries=counts,
    attempt=st.integers(1, 5000),
    breaker_open=st.booleans(),
    policy=policies,
    jitter=jitters,
)
def test_every_outcome_of_an_attempt_has_its_fact(
    outcome: Receipt | DeliveryError,
    tries: int,
    attempt: int,
    breaker_open: bool,  # noqa: FBT001
    policy: RetryPolicy,
    jitter: float,
) -> None:
    decision = decide_delivery(
        outcome,
        tries=tries,
        attempt=attempt,
        breaker_open=breaker_open,
        policy=policy,
        jitter=jitter,
    )
    assert (decision.kind == FactKind.SENT) == isinstance(outcome, Receipt)
    if isinstance(outcome, PermanentError):
        assert (decision.kind, decision.code) == (FactKind.FAILED, outcome.code)
    if isinstance(outcome, TransientError):
        assert decision.kind == (
            FactKind.FAILED if tries + 1 >= policy.tries else FactKind.DEFERRED
        )
        assert decision.kind == FactKind.FAILED or decision.delay >= (outcome.retry_after or 0)
    if isinstance(outcome, AbandonedError):
        assert decision.kind == FactKind.RELEASED, "what was never started costs nothing"
    if isinstance(outcome, BlockedError):
        alone = attempt >= policy.tries and not breaker_open
        assert decision.kind == (FactKind.FAILED if alone else FactKind.RELEASED)
    if type(outcome) in {UncertainError, DeliveryError}:
        assert decision.kind == FactKind.UNCERTAIN, "what may have arrived is never called failed"
        assert tries < 3 or decision.code == "unconfirmed"
