"""Stored data has a format: older data is read or left as it is, newer data is never touched."""

import asyncio
from collections.abc import Sequence

import pytest
from cryptography.fernet import Fernet

from pipeline.domain.errors import InputError
from pipeline.domain.stored_format import OURS, FormatError, StoredFormat
from pipeline.domain.tasks import stop
from pipeline.domain.vault import Vault
from pipeline.operations.rotate_keys import KeyRotation
from pipeline.store.fleet.keyring import Keyring, unlock
from pipeline.store.maintenance.sealed_blobs import SealedBlobs
from pipeline.store.scripts import Scripts
from tests.pipeline.installation import Installation
from tests.support.redis import Redis
from tests.support.waiting import wait_until

KEY = Fernet.generate_key().decode()
NEXT = StoredFormat(written=2, oldest=1)
"""A program whose format is newer, and which reads ours as it is."""
FAR = StoredFormat(written=3, oldest=2)
"""One that does not read ours any more."""

Dump = dict[bytes, bytes]


def keyring(redis: Redis, known: StoredFormat = OURS) -> Keyring:
    return Keyring(redis, Vault([KEY]), known)


async def mark(redis: Redis) -> bytes | None:
    found: bytes | None = await redis.hget("cc:keys", "format")
    return found


async def set_mark(redis: Redis, written: str) -> None:
    await redis.hset("cc:keys", "format", written)


async def dump(redis: Redis) -> Dump:
    return {key: await redis.dump(key) async for key in redis.scan_iter()}


@pytest.fixture
async def unmarked(redis: Redis) -> Redis:
    """What a program left behind that knew nothing of formats."""
    await (await Installation.opened(redis, KEY)).submitted()
    assert await redis.hdel("cc:keys", "format") == 1
    return redis


@pytest.mark.parametrize("known", [OURS, NEXT, FAR])
async def test_a_new_installation_is_marked_even_by_a_process_that_only_reads(
    redis: Redis, known: StoredFormat
) -> None:
    await keyring(redis, known).unlock(seals=False)
    assert await mark(redis) == str(known.written).encode()


async def test_the_first_process_that_seals_marks_unmarked_data(unmarked: Redis) -> None:
    before = await dump(unmarked)
    await keyring(unmarked).unlock(seals=False)
    assert await dump(unmarked) == before, "looking commits nobody"

    await keyring(unmarked).unlock()
    assert await mark(unmarked) == b"1"
    after = await dump(unmarked)
    assert {key for key in after if after[key] != before.get(key)} == {b"cc:keys", b"cc:keys:live"}


@pytest.mark.parametrize("seals", [True, False])
@pytest.mark.parametrize("lenient", [True, False])
@pytest.mark.parametrize("lost", [True, False])
async def test_newer_data_is_refused_in_one_sentence_and_nothing_is_changed(
    redis: Redis, *, seals: bool, lenient: bool, lost: bool
) -> None:
    await (await Installation.opened(redis, KEY)).submitted()
    await set_mark(redis, "12")
    if lost:  # a later program may keep its digest key elsewhere
        await redis.hdel("cc:keys", "digest")
    before = await dump(redis)
    with pytest.raises(FormatError, match=r"format 12, .* format 1: update claimcast") as refused:
        await keyring(redis).unlock(seals=seals, lenient=lenient)
    assert str(refused.value).count(". ") == 0
    assert isinstance(refused.value, InputError)
    assert await dump(redis) == before


async def test_a_mark_without_a_digest_key_is_not_replaced_by_an_older_program(
    redis: Redis,
) -> None:
    await set_mark(redis, "2")
    with pytest.raises(FormatError):
        await unlock(redis, Vault([KEY]))
    assert await redis.hgetall("cc:keys") == {b"format": b"2"}


async def test_a_process_that_enrolls_after_the_format_was_raised_is_refused(
    redis: Redis,
) -> None:
    ours = keyring(redis)
    await ours.unlock(seals=False)
    await keyring(redis, NEXT).unlock()
    before = await dump(redis)
    with pytest.raises(FormatError):
        await ours.enroll()
    assert await dump(redis) == before


async def test_a_later_program_reads_our_data_and_marks_it_before_it_writes_its_own(
    unmarked: Redis,
) -> None:
    later = keyring(unmarked, NEXT)
    before = await dump(unmarked)
    vault = await later.unlock(seals=False)
    assert await dump(unmarked) == before
    assert vault.digest("link", b"x") == (await keyring(unmarked).unlock()).digest("link", b"x")
    assert await mark(unmarked) == b"1"

    await later.unlock()
    assert await mark(unmarked) == b"2"
    with pytest.raises(FormatError):
        await keyring(unmarked).unlock(seals=False)


@pytest.mark.parametrize("marked", [True, False])
async def test_data_that_is_too_old_is_left_as_it_is_and_migrate_is_named(
    unmarked: Redis, *, marked: bool
) -> None:
    if marked:
        await set_mark(unmarked, "1")
    before = await dump(unmarked)
    with pytest.raises(FormatError, match=r"format 1, .* `claimcast migrate`"):
        await keyring(unmarked, FAR).unlock()
    assert await dump(unmarked) == before


@pytest.mark.parametrize("seals", [True, False])
async def test_an_enrolled_process_learns_that_the_data_became_newer(
    redis: Redis, *, seals: bool
) -> None:
    ours = keyring(redis)
    await ours.unlock(seals=seals)
    staying = asyncio.create_task(ours.keep_enrolled(seconds=0.01, seals=seals))
    try:
        await set_mark(redis, "2")
        before = await dump(redis)  # a beat between the two lines is refused by now
        await wait_until(staying.done)
        assert isinstance(staying.exception(), FormatError)
        assert await dump(redis) == before
    finally:
        await stop(staying)


async def test_a_process_that_only_reads_does_not_mark_unmarked_data(
    unmarked: Redis,
) -> None:
    looking = keyring(unmarked)
    await looking.unlock(seals=False)
    before = await dump(unmarked)
    await looking.check_format()
    assert await dump(unmarked) == before


@pytest.mark.parametrize("programs", [[OURS] * 6, [OURS, NEXT] * 3, [NEXT, OURS] * 3])
async def test_programs_that_make_an_installation_at_once_agree(
    valkey_url: str, redis: Redis, programs: Sequence[StoredFormat]
) -> None:
    async def opened(known: StoredFormat) -> Vault:
        async with Redis.from_url(valkey_url) as own:
            return await keyring(own, known).unlock()

    found = await asyncio.gather(*map(opened, programs), return_exceptions=True)
    newest = max(known.written for known in programs)
    assert await mark(redis) == str(newest).encode()
    digests = set()
    for known, vault in zip(programs, found, strict=True):
        if isinstance(vault, FormatError):
            assert known.written < newest
        else:
            assert isinstance(vault, Vault), vault
            digests.add(vault.digest("link", b"x"))
    assert len(digests) == 1


async def test_the_mark_outlives_a_rotation_of_the_keys(redis: Redis) -> None:
    await (await Installation.opened(redis, KEY)).submitted()
    new = Fernet.generate_key().decode()
    ours = Keyring(redis, Vault([new, KEY]))
    vault = await ours.unlock(lenient=True)
    assert await KeyRotation(SealedBlobs(redis, Scripts(redis)), vault).reseal() > 0
    assert await ours.retire(silent_seconds=0) == 1
    assert await mark(redis) == b"1"
    await Keyring(redis, Vault([new])).unlock()
