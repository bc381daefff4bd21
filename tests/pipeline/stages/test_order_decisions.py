"""Decisions about answers of the rewards API, without I/O: thousands of cases take no time."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.domain.batch import Batch, BatchOrder
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
from pipeline.stages.order_decisions import (
    Adopt,
    BlockOrdering,
    Hold,
    Placed,
    Received,
    Wait,
    api_delay,
    decide_adoption,
    decide_order,
    decide_read,
    probe_delay,
    read_delay,
)

NOW = 1_800_000_000_000

jitters = st.floats(0, 1, exclude_max=True)
counts = st.integers(0, 5000)


def a_batch(state: BatchState = BatchState.ORDERED, **order: Any) -> Batch:  # noqa: ANN401 - its fields
    return Batch(state=state, plan="1" * 10, order=BatchOrder(**order))


def after(outcome: RewardsError | str, batch: Batch | None = None, *, posts: int = 0) -> object:
    return decide_order(
        outcome, batch or a_batch(), posts_before=posts, probes=0, funds_probe=60, jitter=0.5
    )


@pytest.mark.parametrize(
    ("outcome", "posts", "adopt", "step"),
    [
        ("o-1", 0, False, Placed("o-1")),
        (DuplicateOrderError("o-1"), 0, False, Hold("foreign_order")),
        (DuplicateOrderError("o-1"), 1, False, Adopt("o-1")),
        (DuplicateOrderError("o-1"), 0, True, Adopt("o-1")),
        (DuplicateOrderError(None), 1, True, Hold("duplicate_without_id")),
        (
            RefusedError("http_400", "Bad product"),
            0,
            False,
            BlockOrdering("order_refused", "Bad product"),
        ),
        (CredentialsError("http_403"), 0, False, BlockOrdering("credentials", "http_403")),
    ],
)
def test_each_answer_to_an_order_has_its_step(
    outcome: RewardsError | str,
    posts: int,
    adopt: bool,  # noqa: FBT001
    step: object,
) -> None:
    assert after(outcome, a_batch(adopt=adopt), posts=posts) == step


@given(probes=counts, jitter=jitters)
def test_without_funds_one_batch_probes_after_one_to_fifteen_minutes(
    probes: int, jitter: float
) -> None:
    assert 48 <= probe_delay(60, probes, jitter) <= 900
    step = after(FundsError("http_422"), posts=1)
    assert isinstance(step, BlockOrdering)
    assert step.probe_after > 0


@given(
    fails=counts,
    wait=st.none() | st.floats(0, 3600),
    jitter=jitters,
    code=st.sampled_from(["http_429", "http_503", "timeout", "reset"]),
)
def test_an_outage_is_waited_for_and_only_a_429_stops_the_fleet(
    fails: int, wait: float | None, jitter: float, code: str
) -> None:
    error = RewardsUnavailableError(code, retry_after=wait)
    order = decide_order(
        error, a_batch(fails=fails), posts_before=0, probes=0, funds_probe=60, jitter=jitter
    )
    read = decide_read(error, a_batch(fails=fails), now_ms=NOW, overdue=9, jitter=jitter)
    for step in (order, read):
        assert isinstance(step, Wait)
        assert step.counter == "fails"
        assert max(0.1, wait or 0) <= step.delay <= max(60.0, wait or 0)
        assert step.cool_down == (step.delay if code == "http_429" else 0)
    assert api_delay(fails, wait, jitter) > 0


def test_an_order_that_differs_is_not_adopted() -> None:
    assert decide_adoption("o", None) == Placed("o")
    assert decide_adoption("o", "the value differs") == Hold("order_differs")


# Reads


def read(outcome: object, **fields: Any) -> object:  # noqa: ANN401 - of `a_batch`
    return decide_read(outcome, a_batch(**fields), now_ms=NOW, overdue=3600, jitter=0.5)  # type: ignore[arg-type]


@pytest.mark.parametrize("code", ["links_short", "links_missing"])
def test_missing_links_are_looked_for_during_ten_minutes(code: str) -> None:
    problem = LinksProblem(code, "", found=9 if code == "links_short" else 0)
    for age in (None, 0, 599_000):
        since = {} if age is None else {"odd_since_ms": NOW - age}
        step = read(problem, **since)
        assert isinstance(step, Wait)
        assert step.counter == "odd"
    assert read(problem, odd_since_ms=NOW - 601_000) == Hold(code, missing=10 - problem.found)


@pytest.mark.parametrize("code", ["links_many", "links_duplicate", "links_ambiguous"])
def test_links_that_are_wrong_are_held_at_once(code: str) -> None:
    assert read(LinksProblem(code, "", found=10)) == Hold(code)


def test_an_order_that_cannot_be_found_is_read_again_and_then_held() -> None:
    assert isinstance(read(OrderNotFoundError("http_404")), Wait)
    late = read(OrderNotFoundError("http_404"), odd_since_ms=NOW - 601_000)
    assert late == Hold("order_not_found")


def test_complete_and_dead_orders() -> None:
    assert read(("a", "b")) == Received(("a", "b"))
    assert read(OrderProgress.FAILED) == Hold("order_failed", missing=10)


@given(fails=counts, posts=counts, code=st.sampled_from(["http_401", "http_403"]))
def test_no_token_and_no_entry_block_at_once(fails: int, posts: int, code: str) -> None:
    refused = CredentialsError(code)
    for step in (read(refused, fails=fails), after(refused, a_batch(fails=fails), posts=posts)):
        assert step == BlockOrdering("credentials", code)


@given(fails=counts, polls=counts, odd=counts, tokens=st.integers(0, 50))
def test_only_tokens_refused_in_a_row_and_over_some_time_block(
    fails: int, polls: int, odd: int, tokens: int
) -> None:
    refused = CredentialsError("http_401", tokens_refused=tokens)
    batch = a_batch(fails=fails, polls=polls, odd=odd)
    for step in (read(refused, fails=fails, polls=polls, odd=odd), after(refused, batch)):
        if tokens >= 6 and fails >= 2:
            assert step == BlockOrdering("credentials", "http_401")
        else:
            assert isinstance(step, Wait)
            assert step.counter == "fails"


@pytest.mark.parametrize("progress", [OrderProgress.WAITING, OrderProgress.UNKNOWN])
def test_an_unfinished_order_is_waited_for_then_held_and_still_read(
    progress: OrderProgress,
) -> None:
    young = read(progress, placed_ms=NOW - 3_599_000)
    assert isinstance(young, Wait)
    assert young.counter == "polls"
    late = read(progress, placed_ms=NOW - 3_601_000)
    assert late == Hold("order_overdue", reread=900)
    again = read(progress, placed_ms=NOW - 9_999_000, state=BatchState.HELD)
    assert again == Wait(900)


@given(quantity=st.integers(1, 100), polls=counts)
def test_reads_become_rarer_with_age_and_size_up_to_a_minute(quantity: int, polls: int) -> None:
    delay = read_delay(quantity, polls)
    assert 0.25 <= delay <= 60
    assert delay <= read_delay(quantity, polls + 1)
    assert delay <= read_delay(100, polls)
