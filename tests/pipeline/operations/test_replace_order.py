"""A dead order is ended once: nobody loses a link, gets a second one, or is left out."""

import json
from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.domain.batch import Batch, Lane
from pipeline.domain.errors import InputError, StaleLeaseError
from pipeline.domain.models import BatchState, FactKind
from pipeline.operations.replace_order import OrderReplacement, ReplacementPlan, links_that_came
from pipeline.store.batches import Claim
from pipeline.verification.verifier import Verifier
from pipeline.views.timeline import Timelines
from tests.pipeline.installation import Installation, links_of
from tests.pipeline.intake.builders import a_campaign
from tests.support.redis import Redis

PEOPLE, SIZE = 10, 4  # batches of 4, 4 and 2


@pytest.fixture
async def ledger(redis: Redis) -> Installation:
    return await Installation.opened(redis)


def order_replacement(ledger: Installation) -> OrderReplacement:
    store = ledger.order_replacement
    return OrderReplacement(ledger.pages, ledger.lookups, store, ledger.vault, None)


async def plan_for(ledger: Installation, serial: str, number: int = 2) -> ReplacementPlan:
    found = await order_replacement(ledger).plan(await ledger.snapshot(serial), number)
    assert isinstance(found, ReplacementPlan)
    return found


async def reordered(ledger: Installation, serial: str, number: int = 2) -> int:
    return await order_replacement(ledger).execute(await plan_for(ledger, serial, number))


def evidence(links: Sequence[str]) -> bytes:
    return json.dumps({"LineItems": [{"Links": [{"Url": link} for link in links]}]}).encode()


async def held(
    ledger: Installation, *, shown: int = 0, reason: str = "links_short", max_total: str = "100"
) -> tuple[str, list[Claim]]:
    """Return a campaign whose batch 2 is held, and the claims that its workers once had."""
    reward = {"product_id": "CVS", "value": "10.00", "max_total": max_total}
    serial = await ledger.submitted(PEOPLE, a_campaign(reward=reward), size=SIZE)
    claims = await ledger.ordered(serial)
    for claim in claims:
        if claim.unit.batch == 2:
            raw = evidence(links_of(claim)[:shown])
            missing = SIZE - shown
            await ledger.batches.hold(claim, reason, evidence=raw, missing=missing, reread=0)
        else:
            await ledger.batches.links_received(claim, links_of(claim))
    return serial, claims


async def sound(ledger: Installation, serial: str) -> None:
    found = await Verifier(ledger.pages, ledger.campaigns, ledger.lookups, ledger.vault).run(
        serial
    )
    assert found.compared
    assert [str(each) for each in found.violations] == []


async def links_by_person(ledger: Installation, serial: str) -> dict[str, str]:
    count = (await ledger.snapshot(serial)).batch_count
    pairs = [
        (person.id, link)
        for number in range(1, count + 1)
        for person, link in zip(
            await ledger.campaigns.recipients(serial, number),
            await ledger.batches.links(serial, number),
            strict=False,
        )
    ]
    assert len(dict(pairs)) == len(pairs), "a person with two links"
    assert len({link for _, link in pairs}) == len(pairs), "a link of two people"
    return dict(pairs)


async def finish(ledger: Installation, serial: str) -> None:
    await ledger.fulfilled(serial)
    await ledger.settled(serial)
    snapshot = await ledger.snapshot(serial)
    assert snapshot.ended
    assert snapshot.people() == {"reached": PEOPLE, "not_reached": 0, "open": 0}
    assert len(await links_by_person(ledger, serial)) == PEOPLE
    await sound(ledger, serial)


# Who keeps a link, who moves --------------------------------------------------------------------


@pytest.mark.parametrize("shown", [1, 3])
async def test_links_that_came_stay_with_the_first_people_and_the_others_move(
    ledger: Installation, shown: int
) -> None:
    serial, claims = await held(ledger, shown=shown)
    await sound(ledger, serial)
    assert await reordered(ledger, serial) == 4
    await sound(ledger, serial)
    kept = await ledger.campaigns.recipients(serial, 2)
    moved = await ledger.campaigns.recipients(serial, 4)
    assert [each.id for each in kept + moved] == ["r4", "r5", "r6", "r7"]
    assert await ledger.batches.links(serial, 2) == links_of(claims[1])[:shown]
    old, new = await ledger.batches.read(serial, 2), await ledger.batches.read(serial, 4)
    assert old is not None
    assert new is not None
    assert (old.state, old.size, old.quantity) == (BatchState.FULFILLED, shown, SIZE)
    assert (new.state, new.size, new.replacement.origin) == (BatchState.PLANNED, SIZE - shown, 2)
    assert await ledger.batches.evidence(serial, 2) == b""
    links = (await ledger.snapshot(serial)).links()
    assert (links["ordered"], links["received"], links["missing"]) == (10, 6 + shown, 4 - shown)
    await finish(ledger, serial)


@pytest.mark.parametrize(
    ("reason", "shown"),
    [("order_failed", 0), ("order_failed", 3), ("links_many", 4), ("links_seen_before", 4)],
)
async def test_without_a_doubtless_short_answer_everybody_moves(
    ledger: Installation, reason: str, shown: int
) -> None:
    serial, _ = await held(ledger, shown=shown, reason=reason)
    assert await reordered(ledger, serial) == 4
    await sound(ledger, serial)
    old = await ledger.batches.read(serial, 2)
    assert old is not None
    assert (old.state, old.note, old.size, old.order.missing) == (
        BatchState.CANCELLED,
        "reordered",
        0,
        SIZE,
    )
    assert await ledger.batches.links(serial, 2) == []
    assert await ledger.batches.evidence(serial, 2), "what the order showed is kept"
    await finish(ledger, serial)


async def test_a_link_that_somebody_else_holds_lets_everybody_move(ledger: Installation) -> None:
    serial, claims = await held(ledger)
    await ledger.batches.retry(serial, 2, failed=False, uncertain=False, held=True, adopt=False)
    (claim,) = await ledger.claims(Lane.READ)
    raw = evidence([*links_of(claim)[:2], links_of(claims[0])[0]])
    await ledger.batches.hold(claim, "links_short", evidence=raw, missing=1, reread=0)
    plan = await plan_for(ledger, serial)
    assert plan.links == ()
    assert len(plan.moved) == SIZE


async def test_a_link_that_is_given_to_somebody_meanwhile_changes_nothing(
    ledger: Installation,
) -> None:
    serial, claims = await held(ledger, shown=2)
    plan = await plan_for(ledger, serial)
    other = await ledger.submitted(1, a_campaign(id="other"))
    (claim,) = await ledger.ordered(other)
    assert await ledger.batches.links_received(claim, links_of(claims[1])[:1]) is None
    with pytest.raises(InputError, match="has changed meanwhile"):
        await order_replacement(ledger).execute(plan)
    assert (await plan_for(ledger, serial)).links == ()
    await sound(ledger, serial)


@pytest.mark.parametrize("reason", ["foreign_order", "duplicate_without_id", "order_changed"])
async def test_a_batch_that_never_got_an_order_is_ordered_under_another_number(
    ledger: Installation, reason: str
) -> None:
    serial = await ledger.submitted(PEOPLE, size=SIZE)
    (first, *_) = await ledger.claims(Lane.ORDER)
    await ledger.batches.hold(first, reason, missing=0, reread=0)
    assert await reordered(ledger, serial, 1) == 4
    await sound(ledger, serial)
    assert (await ledger.snapshot(serial)).links()["ordered"] == 0


async def test_an_overdue_order_that_is_still_read_can_be_ended(ledger: Installation) -> None:
    serial = await ledger.submitted(PEOPLE, size=SIZE)
    for claim in await ledger.ordered(serial):
        if claim.unit.batch == 2:
            await ledger.batches.hold(claim, "order_overdue", missing=0, reread=900)
        else:
            await ledger.batches.links_received(claim, links_of(claim))
    await ledger.redis.zadd(f"cc:{serial}:due:r", {"2": 0})
    plan = await plan_for(ledger, serial)
    (reader,) = await ledger.claims(Lane.READ)
    with pytest.raises(InputError, match="is reading the order"):
        await order_replacement(ledger).execute(plan)
    await ledger.batches.release(reader, delay=900)
    assert await order_replacement(ledger).execute(plan) == 4
    await finish(ledger, serial)


async def test_the_new_batch_can_be_ended_too(ledger: Installation) -> None:
    serial, _ = await held(ledger, shown=1)
    assert await reordered(ledger, serial) == 4
    (claim,) = await ledger.ordered(serial)
    raw = evidence(links_of(claim)[:1])
    await ledger.batches.hold(claim, "links_short", evidence=raw, missing=2, reread=0)
    assert await reordered(ledger, serial, 4) == 5
    people = await ledger.campaigns.recipients(serial, 5)
    assert [each.id for each in people] == ["r6", "r7"]
    await sound(ledger, serial)
    await finish(ledger, serial)


async def test_a_person_who_moves_keeps_their_record_in_the_ledger(ledger: Installation) -> None:
    serial, _ = await held(ledger, shown=2)
    await ledger.redis.hset(f"cc:{serial}:a:2", mapping={"1": "stays", "3": "moves"})
    await ledger.redis.hset(f"cc:{serial}:d:2", "3", "pe2.0.0.0.0.")
    await ledger.redis.hset(f"cc:{serial}:b:2", "gone", "0:11 2:22")
    assert await reordered(ledger, serial) == 4
    assert await ledger.redis.hgetall(f"cc:{serial}:a:2") == {b"1": b"stays"}
    assert await ledger.redis.hgetall(f"cc:{serial}:a:4") == {b"1": b"moves"}
    assert await ledger.deliveries.read(serial, 2) == {}
    ((record,),) = (await ledger.deliveries.read(serial, 4)).values()
    assert record.resend_number == 2
    old, new = await ledger.batches.read(serial, 2), await ledger.batches.read(serial, 4)
    assert old is not None
    assert new is not None
    assert (old.erased, new.erased) == ({0: 11}, {0: 22})
    assert (await ledger.batches.links(serial, 2))[0] == "", "a link for nobody"


async def test_the_cap_of_a_campaign_is_for_living_orders(ledger: Installation) -> None:
    serial, _ = await held(ledger, shown=1)
    await reordered(ledger, serial)
    await finish(ledger, serial)
    await ledger.redis.hset(f"cc:{serial}:b:2", "missing", "2")
    found = await Verifier(ledger.pages, ledger.campaigns, ledger.lookups, ledger.vault).run(
        serial
    )
    assert {"value", "missing_links"} <= {each.rule for each in found.violations}


async def test_a_person_who_is_in_no_batch_any_more_breaks_invariant_1(
    ledger: Installation,
) -> None:
    serial, _ = await held(ledger, shown=1)
    await reordered(ledger, serial)
    await ledger.redis.hset(f"cc:{serial}:b:4", "from", "1")
    found = await Verifier(ledger.pages, ledger.campaigns, ledger.lookups, ledger.vault).run(
        serial
    )
    assert ("reorder", 4) in {(each.rule, each.batch) for each in found.violations}


# Once, and nothing else -------------------------------------------------------------------------


async def test_a_batch_is_ended_once(ledger: Installation) -> None:
    serial, _ = await held(ledger, shown=1)
    plan = await plan_for(ledger, serial)
    assert [await order_replacement(ledger).execute(plan) for _ in range(2)] == [4, 4]
    found = await order_replacement(ledger).plan(await ledger.snapshot(serial), 2)
    assert isinstance(found, Batch)
    assert found.replacement.into == 4
    assert (await ledger.snapshot(serial)).batch_count == 4


async def test_of_two_commands_that_end_two_batches_at_once_the_second_plans_again(
    ledger: Installation,
) -> None:
    serial = await ledger.submitted(PEOPLE, size=SIZE)
    for claim in await ledger.ordered(serial):
        await ledger.batches.hold(claim, "order_failed", missing=claim.batch.size, reread=0)
    plans = [await plan_for(ledger, serial, number) for number in (1, 2)]
    assert await order_replacement(ledger).execute(plans[0]) == 4
    with pytest.raises(InputError, match="has changed meanwhile"):
        await order_replacement(ledger).execute(plans[1])
    assert await reordered(ledger, serial, 2) == 5
    await sound(ledger, serial)


async def test_a_batch_that_went_on_meanwhile_is_left_alone(ledger: Installation) -> None:
    serial, _ = await held(ledger, shown=3)
    plan = await plan_for(ledger, serial)
    await ledger.batches.retry(serial, 2, failed=False, uncertain=False, held=True, adopt=False)
    with pytest.raises(InputError, match="has changed meanwhile"):
        await order_replacement(ledger).execute(plan)
    (claim,) = await ledger.claims(Lane.READ)
    with pytest.raises(InputError, match="has changed meanwhile"):
        await order_replacement(ledger).execute(plan)
    await ledger.batches.hold(claim, "links_short", evidence=b"{}", missing=1, reread=0)
    held_again = replace(
        plan,
        batch=replace(
            plan.batch, hold=replace(plan.batch.hold, since_ms=plan.batch.hold.since_ms - 1)
        ),
    )
    with pytest.raises(InputError, match="has changed meanwhile"):
        await order_replacement(ledger).execute(held_again)


async def test_nothing_that_comes_late_of_the_dead_order_changes_anything(
    ledger: Installation,
) -> None:
    serial, claims = await held(ledger, shown=2)
    await reordered(ledger, serial)
    before = await ledger.batches.read(serial, 2), await ledger.batches.links(serial, 2)
    late = claims[1]
    for work in (
        ledger.batches.links_received(late, links_of(late)),
        ledger.batches.order_placed(late, "another"),
        ledger.batches.hold(late, "order_failed", missing=4, reread=0),
        ledger.batches.release(late, delay=0),
    ):
        with pytest.raises(StaleLeaseError):
            await work
    assert await ledger.batches.claim(late.unit, nonce="late", lease_seconds=600) is None
    assert before == (await ledger.batches.read(serial, 2), await ledger.batches.links(serial, 2))
    await ledger.batches.wake(serial, 2)
    await finish(ledger, serial)
    assert await ledger.batches.wake(serial, 2) is False


async def test_only_a_held_batch_without_links_can_be_ended(ledger: Installation) -> None:
    serial = await ledger.submitted(4, size=SIZE)

    async def refusal() -> str:
        with pytest.raises(InputError) as found:
            await plan_for(ledger, serial, 1)
        return str(found.value)

    assert "it has no order yet" in await refusal()
    (claim,) = await ledger.ordered(serial)
    assert "still being read" in await refusal()
    raw = evidence(links_of(claim))
    await ledger.batches.hold(claim, "links_short", evidence=raw, missing=1, reread=0)
    assert "--held` goes on with it" in await refusal()
    await ledger.batches.retry(serial, 1, failed=False, uncertain=False, held=True, adopt=False)
    (claim,) = await ledger.claims(Lane.READ)
    await ledger.batches.links_received(claim, links_of(claim))
    assert "have their links" in await refusal()
    await ledger.settled(serial, FactKind.UNCERTAIN, "unconfirmed")
    assert "--uncertain" in await refusal()
    assert await ledger.campaigns.steer(serial, "cancel")
    assert "was cancelled, and that is final" in await refusal()


@pytest.mark.parametrize("number", [0, 4])
async def test_a_batch_that_does_not_exist_is_refused(ledger: Installation, number: int) -> None:
    serial, _ = await held(ledger)
    with pytest.raises(InputError, match="has batches 1 to 3"):
        await plan_for(ledger, serial, number)


# The timeline -----------------------------------------------------------------------------------


async def test_the_timeline_of_a_moved_person_has_both_orders(ledger: Installation) -> None:
    serial, _ = await held(ledger, shown=1)
    await reordered(ledger, serial)
    await finish(ledger, serial)
    timelines = Timelines(ledger.pages, ledger.campaigns, ledger.vault)
    document = await timelines.of(await ledger.snapshot(serial), "r6")
    assert (document["batch"], document["position"]) == (4, 2)
    assert document["po_number"] == "CC-survey-2026-11-00004"
    told = [event["event"] for event in document["events"]]
    for event in (
        f"ordered under CC-survey-2026-11-00002 as order-{serial}-2",
        "held: the order is complete, but shows fewer links than ordered (links_short)",
        "the order of batch 2 was given up; moved to batch 4",
        f"ordered under CC-survey-2026-11-00004 as order-{serial}-4",
    ):
        assert event in told
    kept = await timelines.of(await ledger.snapshot(serial), "r4")
    assert (kept["batch"], kept["position"]) == (2, 1)
    told = [event["event"] for event in kept["events"]]
    assert told.index(
        "held: the order is complete, but shows fewer links than ordered (links_short)"
    ) < told.index("link received and assigned")


# The links of a short order ---------------------------------------------------------------------

urls = st.lists(st.integers(0, 10**6).map(lambda n: f"https://c.example/{n}"), unique=True)


@given(links=urls, ordered=st.integers(1, 12))
def test_links_come_of_an_order_in_its_order_or_not_at_all(links: list[str], ordered: int) -> None:
    came = links_that_came(evidence(links), ordered, path=None)
    assert list(came) == (links if 0 < len(links) <= ordered else [])


@given(links=urls.filter(bool), bad=st.sampled_from(["twice", "http", "elsewhere"]))
def test_no_link_comes_of_a_doubtful_order(links: list[str], bad: str) -> None:
    other = {"twice": links[0], "http": "http://c.example/x", "elsewhere": "https://d.example/x"}
    assert links_that_came(evidence([*links, other[bad]]), len(links) + 5, path=None) == ()
