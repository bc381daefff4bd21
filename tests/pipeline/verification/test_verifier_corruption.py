"""Each invariant is broken once, and the recount names it."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest

from pipeline.store.formats.recipient_codec import decode_batch, encode_batch
from pipeline.store.lookups import id_digest
from pipeline.verification.verifier import VerificationFindings, Verifier
from tests.pipeline.installation import Installation
from tests.pipeline.intake.builders import a_campaign
from tests.support.redis import Redis


@pytest.fixture
async def ledger(redis: Redis) -> Installation:
    return await Installation.opened(redis)


async def recount(ledger: Installation, serial: str) -> VerificationFindings:
    return await Verifier(ledger.pages, ledger.campaigns, ledger.lookups, ledger.vault).run(serial)


async def rules(ledger: Installation, serial: str) -> set[tuple[int, str, int | None]]:
    """Return which invariants are broken, by which rule, in which batch."""
    found = await recount(ledger, serial)
    assert found.compared
    return {(each.invariant, each.rule, each.batch) for each in found.violations}


async def reseal(
    ledger: Installation,
    serial: str,
    number: int,
    kind: str,
    key: str,
    change: Callable[[bytes], bytes],
) -> None:
    """Open a blob, change its contents, and seal it again for the same purpose."""
    purpose, name = f"{kind}:{serial}:{number}", f"cc:{serial}:{key}:{number}"
    plain = ledger.vault.open(await ledger.redis.get(name), purpose)
    await ledger.redis.set(name, ledger.vault.seal(change(plain), purpose))


async def reseal_links(
    ledger: Installation, serial: str, number: int, links: Sequence[str]
) -> None:
    await reseal(ledger, serial, number, "links", "k", lambda _: "\n".join(links).encode())


async def test_another_po_number_breaks_invariant_1(ledger: Installation) -> None:
    serial = await ledger.submitted()
    await ledger.finished(serial)
    await ledger.redis.hset(f"cc:{serial}:b:2", "po", "CC-survey-2026-11-00001")
    assert await rules(ledger, serial) == {(1, "po_number", 2)}


async def test_another_content_under_the_po_number_breaks_the_value(ledger: Installation) -> None:
    serial = await ledger.submitted()
    await ledger.finished(serial)
    await ledger.redis.hset(f"cc:{serial}:b:2", "ph", "0" * 64)
    assert await rules(ledger, serial) == {(5, "value", 2)}


async def test_an_order_of_two_batches_breaks_invariant_1(ledger: Installation) -> None:
    serial = await ledger.submitted()
    await ledger.finished(serial)
    await ledger.redis.hset(f"cc:{serial}:b:3", "oid", f"order-{serial}-1")
    assert await rules(ledger, serial) == {(1, "order_id", 3)}


async def test_a_lost_order_id_breaks_invariant_1(ledger: Installation) -> None:
    serial = await ledger.submitted()
    await ledger.finished(serial)
    await ledger.redis.hdel(f"cc:{serial}:b:3", "oid")
    assert (1, "order_id", 3) in await rules(ledger, serial)


async def test_a_link_too_few_breaks_invariant_2(ledger: Installation) -> None:
    serial = await ledger.submitted()
    await ledger.finished(serial)
    links = await ledger.batches.links(serial, 1)
    await reseal_links(ledger, serial, 1, links[:1])
    assert await rules(ledger, serial) == {(2, "link_count", 1)}


async def test_a_link_that_is_not_https_breaks_invariant_2(ledger: Installation) -> None:
    serial = await ledger.submitted()
    await ledger.finished(serial)
    links = await ledger.batches.links(serial, 1)
    await reseal_links(ledger, serial, 1, [links[0], "http://links.example/x"])
    found = await recount(ledger, serial)
    assert {each.rule for each in found.violations} == {"link_https", "link_registered"}
    assert not any("links.example" in str(each) for each in found.violations)


async def test_lost_links_break_invariant_2(ledger: Installation) -> None:
    serial = await ledger.submitted()
    await ledger.finished(serial)
    await ledger.redis.delete(f"cc:{serial}:k:2")
    assert await rules(ledger, serial) == {(2, "links_stored", 2)}


async def test_something_sent_without_links_breaks_invariant_2(ledger: Installation) -> None:
    serial = await ledger.submitted()
    await ledger.ordered(serial)
    await ledger.redis.hset(f"cc:{serial}:d:1", "0", "se1.1.0.5.7.")
    assert (2, "sent_without_links", 1) in await rules(ledger, serial)


async def test_swapped_blobs_of_two_batches_break_invariant_3(ledger: Installation) -> None:
    serial = await ledger.submitted(people=4)
    await ledger.finished(serial)
    for key in ("k", "r"):
        first, second = f"cc:{serial}:{key}:1", f"cc:{serial}:{key}:2"
        kept = await ledger.redis.get(first)
        await ledger.redis.set(first, await ledger.redis.get(second))
        await ledger.redis.set(second, kept)
    assert await rules(ledger, serial) == {(3, "blob", 1), (3, "blob", 2)}


async def test_a_lost_recipient_breaks_invariant_3(ledger: Installation) -> None:
    serial = await ledger.submitted()
    await ledger.finished(serial)
    await reseal(
        ledger, serial, 1, "rows", "r", lambda plain: encode_batch(decode_batch(plain)[:1])
    )
    assert await rules(ledger, serial) == {(3, "recipients", 1)}


async def test_recipients_in_another_order_break_invariant_3(ledger: Installation) -> None:
    serial = await ledger.submitted()
    await ledger.finished(serial)
    await reseal(
        ledger, serial, 1, "rows", "r", lambda plain: encode_batch(decode_batch(plain)[::-1])
    )
    assert await rules(ledger, serial) == {(3, "recipient_place", 1)}


async def test_an_id_that_stands_twice_breaks_invariant_3(ledger: Installation) -> None:
    serial = await ledger.submitted()
    await ledger.finished(serial)

    def doubled(plain: bytes) -> bytes:
        rows = decode_batch(plain)
        return encode_batch([rows[0], replace(rows[1], id="r0")])

    await reseal(ledger, serial, 1, "rows", "r", doubled)
    assert await rules(ledger, serial) == {(3, "recipient_place", 1)}


async def test_a_lost_look_up_breaks_invariant_3(ledger: Installation) -> None:
    serial = await ledger.submitted()
    await ledger.finished(serial)
    digest = id_digest(ledger.vault, serial, "r4")
    await ledger.redis.hdel(f"cc:{serial}:x:0", digest)
    assert await rules(ledger, serial) == {
        (3, "recipient_place", 3),
        (3, "recipient_place", None),
    }


async def test_an_unregistered_link_breaks_invariant_3(ledger: Installation) -> None:
    serial = await ledger.submitted()
    await ledger.finished(serial)
    async for key in ledger.redis.scan_iter(match="cc:links:*"):
        for field, owner in (await ledger.redis.hgetall(key)).items():
            if owner == f"{serial}:3".encode():
                await ledger.redis.hdel(key, field)
    assert await rules(ledger, serial) == {(3, "link_registered", 3)}


async def test_two_recipients_of_a_batch_with_one_link_break_invariant_4(
    ledger: Installation,
) -> None:
    serial = await ledger.submitted()
    await ledger.finished(serial)
    links = await ledger.batches.links(serial, 2)
    await reseal_links(ledger, serial, 2, [links[0], links[0]])
    assert await rules(ledger, serial) == {(4, "link_twice", 2)}


async def test_two_batches_with_one_link_break_invariant_4(ledger: Installation) -> None:
    serial = await ledger.submitted()
    await ledger.finished(serial)
    first, second = [await ledger.batches.links(serial, number) for number in (1, 2)]
    await reseal_links(ledger, serial, 2, [second[0], first[1]])
    found = await recount(ledger, serial)
    assert [str(each) for each in found.violations] == [
        "invariant 4 (link_twice), batch 2: the link of recipient 2 belongs to batch 1"
    ]


@pytest.mark.parametrize(
    "counter",
    [
        "d:sent",
        "d:pending",
        "p:reached",
        "b:done",
        "l:ordered",
        "l:received",
        "l:assigned",
        "l:spare",
        "l:missing",
        "h:order_failed",
        "n:order_unknown",
    ],
)
async def test_a_counter_that_is_off_breaks_invariant_5(
    ledger: Installation, counter: str
) -> None:
    serial = await ledger.submitted()
    await ledger.finished(serial)
    await ledger.redis.hincrby(f"cc:{serial}", counter, 1)
    found = await recount(ledger, serial)
    (violation,) = found.violations
    assert (violation.invariant, violation.rule) == (5, "counter")
    assert violation.found.startswith(f"{counter} is ")


async def test_more_missing_links_than_ordered_break_invariant_5(ledger: Installation) -> None:
    serial = await ledger.submitted()
    await ledger.ordered(serial)
    await ledger.redis.hset(f"cc:{serial}:b:1", "missing", "7")
    assert (5, "missing_links", 1) in await rules(ledger, serial)


async def test_a_lost_batch_breaks_invariant_5(ledger: Installation) -> None:
    serial = await ledger.submitted()
    await ledger.finished(serial)
    await ledger.redis.delete(f"cc:{serial}:b:2")
    assert {(5, "batch", 2), (5, "recipient_count", None)} <= await rules(ledger, serial)


async def test_more_than_max_total_breaks_invariant_5(ledger: Installation) -> None:
    reward = {"product_id": "CVS", "value": "10.00", "max_total": "50.00"}
    serial = await ledger.submitted(campaign=a_campaign(reward=reward))
    await ledger.finished(serial)
    definition = a_campaign(reward={**reward, "max_total": "40.00"})
    sealed = ledger.vault.seal(definition.model_dump_json().encode(), f"definition:{serial}")
    await ledger.redis.set(f"cc:{serial}:def", sealed)
    assert await rules(ledger, serial) == {(5, "value", None)}


@pytest.mark.parametrize(("key", "number"), [("r:1", 1), ("k:2", 2), ("raw:3", 3), ("def", None)])
async def test_anything_in_clear_breaks_invariant_6(
    ledger: Installation, key: str, number: int | None
) -> None:
    serial = await ledger.submitted()
    await ledger.finished(serial)
    await ledger.redis.set(f"cc:{serial}:{key}", "https://links.example/in-clear")
    found = await recount(ledger, serial)
    assert (6, "sealed", number) in {(v.invariant, v.rule, v.batch) for v in found.violations}
    assert "in-clear" not in " ".join(map(str, found.violations))


async def test_an_unfinished_batch_in_no_due_index_breaks_invariant_7(
    ledger: Installation,
) -> None:
    serial = await ledger.submitted()
    await ledger.ordered(serial)
    await ledger.redis.zrem(f"cc:{serial}:due:r", 2)
    assert await rules(ledger, serial) == {(7, "due_index", 2), (7, "due_index", None)}


@pytest.mark.parametrize(("lane", "stage"), [("o", "ordered"), ("h", "fulfilled"), ("s", "done")])
async def test_a_batch_in_a_wrong_due_index_breaks_invariant_7(
    ledger: Installation, lane: str, stage: str
) -> None:
    serial = await ledger.submitted()
    await {"ordered": ledger.ordered, "fulfilled": ledger.fulfilled, "done": ledger.finished}[
        stage
    ](serial)
    await ledger.redis.zadd(f"cc:{serial}:due:{lane}", {"2": 0})
    assert (7, "due_index", 2) in await rules(ledger, serial)


async def test_an_entry_that_is_no_batch_breaks_invariant_7(ledger: Installation) -> None:
    serial = await ledger.submitted()
    await ledger.redis.zadd(f"cc:{serial}:due:o", {"9": 0})
    assert await rules(ledger, serial) == {(7, "due_index", None)}


@pytest.mark.parametrize("field", ["se1.1.0.5", "no record", "ze1.1.0.5.7.", "ss1.1.0.5.7."])
async def test_a_damaged_ledger_breaks_invariant_7(ledger: Installation, field: str) -> None:
    serial = await ledger.submitted()
    await ledger.finished(serial)
    await ledger.redis.hset(f"cc:{serial}:d:1", "1", field)
    assert (7, "ledger", 1) in await rules(ledger, serial)


async def test_a_delivery_without_a_recipient_breaks_invariant_7(ledger: Installation) -> None:
    serial = await ledger.submitted()
    await ledger.finished(serial)
    await ledger.redis.hset(f"cc:{serial}:d:3", "1", "se1.1.0.5.7.")
    assert await rules(ledger, serial) == {(7, "ledger", 3)}


async def test_an_open_delivery_in_a_done_batch_breaks_invariant_7(ledger: Installation) -> None:
    serial = await ledger.submitted()
    await ledger.finished(serial)
    await ledger.redis.hset(f"cc:{serial}:d:1", "1", "pe1.1.1.5.7.")
    assert {(7, "done_batch", 1), (7, "finished", None)} <= await rules(ledger, serial)


async def test_a_campaign_that_claims_to_be_finished_breaks_invariant_7(
    ledger: Installation,
) -> None:
    serial = await ledger.submitted()
    await ledger.redis.hset(f"cc:{serial}", "fin", "1")
    assert await rules(ledger, serial) == {(7, "finished", None)}


async def test_a_campaign_that_no_worker_looks_at_breaks_invariant_7(ledger: Installation) -> None:
    serial = await ledger.submitted()
    await ledger.redis.zrem("cc:active", serial)
    assert await rules(ledger, serial) == {(7, "active", None)}
