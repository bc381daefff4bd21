"""The audit trail: one chain, however many write to it, in which nothing can be changed unseen."""

import asyncio
import json
from collections.abc import Callable

import pytest

from pipeline.store.audit_trail import AuditAction, AuditTrail
from pipeline.store.scripts import Scripts
from tests.pipeline.ledger import Ledger

TRAIL = "cc:audit"


def trail(ledger: Ledger) -> AuditTrail:
    return AuditTrail(ledger.redis, Scripts(ledger.redis), ledger.vault)


async def written(ledger: Ledger, number: int = 5) -> AuditTrail:
    audit = trail(ledger)
    for i in range(number):
        await audit.add(
            AuditAction.RETRY, actor="ann", campaign=f"c-{i % 2}", failed=True, batch=i
        )
    return audit


async def test_the_trail_says_who_did_what_when_and_to_which_campaign(ledger: Ledger) -> None:
    began, _ = await ledger.redis.time()
    audit = await written(ledger)
    entries = [entry async for entry in audit.entries()]
    assert [entry.number for entry in entries] == [1, 2, 3, 4, 5]
    assert {(entry.actor, entry.action) for entry in entries} == {("ann", "retry")}
    assert entries[3].details == {"failed": True, "batch": 3}
    seconds, _ = await ledger.redis.time()
    assert all(began <= entry.at <= seconds + 1 for entry in entries)
    assert [entry.number async for entry in audit.entries("c-1")] == [2, 4]
    assert await audit.violations() == []


async def test_many_writers_make_one_chain(ledger: Ledger) -> None:
    trails = [trail(ledger) for _ in range(5)]
    await asyncio.gather(
        *(
            audit.add(AuditAction.ORDER, actor=f"w{i}")
            for i, audit in enumerate(trails)
            for _ in "1234"
        )
    )
    entries = [entry async for entry in trails[0].entries()]
    assert [entry.number for entry in entries] == list(range(1, 21))
    assert await trails[0].violations() == []


def _other_actor(text: bytes) -> bytes:
    return text.replace(b'"ann"', b'"bob"')


def _other_number(text: bytes) -> bytes:
    return json.dumps(json.loads(text) | {"number": 9}).encode()


def _nonsense(text: bytes) -> bytes:
    return text[:-1]


@pytest.mark.parametrize("change", [_other_actor, _nonsense, _other_number])
@pytest.mark.parametrize("place", [0, 2, 4])
async def test_an_entry_that_was_changed_is_named(
    ledger: Ledger, change: Callable[[bytes], bytes], place: int
) -> None:
    audit = await written(ledger)
    text = (await ledger.redis.lrange(TRAIL, place, place))[0]
    await ledger.redis.lset(TRAIL, place, change(text))
    [found] = await audit.violations()
    assert f"entry {place + 1} of" in found


async def test_an_entry_taken_out_of_the_middle_is_missed(ledger: Ledger) -> None:
    audit = await written(ledger)
    await ledger.redis.lrem(TRAIL, 1, (await ledger.redis.lrange(TRAIL, 1, 1))[0])
    [found] = await audit.violations()
    assert "entry 2 of" in found


async def test_entries_taken_from_the_end_are_missed(ledger: Ledger) -> None:
    audit = await written(ledger)
    await ledger.redis.rpop(TRAIL, 2)
    [found] = await audit.violations()
    assert "after entry 3, but 5" in found


async def test_an_entry_of_another_past_is_named(ledger: Ledger) -> None:
    await written(ledger)
    once: bytes = (await ledger.redis.lrange(TRAIL, 3, 3))[0]
    # As after a backup was put back: from the third entry on something else happened.
    await ledger.redis.rpop(TRAIL, 3)
    await ledger.redis.set(f"{TRAIL}:count", 2)
    audit = trail(ledger)
    for _ in range(3):
        await audit.add(AuditAction.CANCEL, actor="ann")
    assert await audit.violations() == []
    await ledger.redis.lset(TRAIL, 3, once)
    [found] = await audit.violations()
    assert "entry 4 of" in found


async def test_a_chain_goes_on_in_a_new_process(ledger: Ledger) -> None:
    await written(ledger)
    audit = trail(ledger)
    await audit.add(AuditAction.CANCEL, actor="ann")
    assert await audit.violations() == []


async def test_a_person_is_named_by_a_digest_that_differs_between_campaigns(
    ledger: Ledger,
) -> None:
    audit = trail(ledger)
    assert audit.person_digest("c", "bob@example.com") == audit.person_digest(
        "c", "bob@example.com"
    )
    assert audit.person_digest("c", "bob@example.com") != audit.person_digest(
        "d", "bob@example.com"
    )
    assert len(audit.person_digest("c", "bob@example.com")) == 16
