"""A rotation seals everything under the new key, loses no newer write, and changes no content."""

import asyncio

import pytest
from cryptography.fernet import Fernet
from hypothesis import given
from hypothesis import strategies as st

from pipeline.callbacks.signed_tokens import Purpose, SignedTokens, Target
from pipeline.domain.models import ChannelName
from pipeline.domain.vault import Vault, mac_of
from pipeline.operations.rotate_keys import KeyRotation, chunks
from pipeline.store.fleet.keyring import Keyring, unlock
from pipeline.store.maintenance.sealed_blobs import Blob, Replacement, SealedBlobs
from pipeline.store.scripts import Scripts
from pipeline.store.suppressions import Suppressions
from tests.pipeline.installation import Installation, links_of
from tests.support.redis import Redis

OLD, NEW = (Fernet.generate_key().decode() for _ in range(2))
TARGET = Target(serial="1", batch=1)


async def rekey_of(redis: Redis, *keys: str) -> KeyRotation:
    vault = await unlock(redis, Vault(keys or [NEW, OLD]))
    return KeyRotation(SealedBlobs(redis, Scripts(redis)), vault)


async def filled(redis: Redis, *, people: int = 5) -> tuple[Installation, str]:
    """Return an installation under the old key with a blob of every kind in it."""
    before = await Installation.opened(redis, OLD)
    serial = await before.submitted(people)
    [first, *others] = await before.ordered(serial)
    await before.batches.hold(first, "links_many", evidence=b"{}", missing=0, reread=0)
    for claim in others:
        await before.batches.links_received(claim, links_of(claim))
    seal = before.vault.seal
    await redis.set("cc:rewards:1:token", seal(b"t", "rewards token"), px=600_000)
    await redis.hset(f"cc:{serial}:a:1", "0", seal(b"x", "a place of later"))
    return before, serial


async def test_everything_opens_with_the_new_key_alone_and_means_the_same(redis: Redis) -> None:
    before, serial = await filled(redis)
    suppressed = [(ChannelName.EMAIL, "p1@example.com")]
    await Suppressions(redis, before.vault).add(*suppressed[0], "operator")
    token = SignedTokens(before.vault).make(Purpose.UNSUBSCRIBE, TARGET)
    definition = await before.campaigns.definition(serial)
    rekey = await rekey_of(redis)
    # The digest key, the definition, 3 rows, 2 links, 1 answer, the token and one in a hash.
    assert (await rekey.look()).by_key == {1: 10}

    assert await rekey.reseal() == 10
    assert (await rekey.look()).by_key == {0: 10}
    assert await Keyring(redis, Vault([NEW, OLD])).retire(silent_seconds=0) == 1
    after = await Installation.opened(redis, NEW)
    assert await after.campaigns.definition(serial) == definition
    assert [r.id for r in await after.campaigns.recipients(serial, 1)] == ["r0", "r1"]
    assert (await after.batches.links(serial, 2))[0].startswith("https://links.example/")
    assert await after.batches.evidence(serial, 1) == b"{}"
    assert await after.campaigns.locate(await after.snapshot(serial), "r4") == (3, 0)
    assert await Suppressions(redis, after.vault).reasons(suppressed) == ["operator"]
    assert SignedTokens(after.vault).read(Purpose.UNSUBSCRIBE, token) == TARGET
    assert after.vault.digest("link", b"x") == before.vault.digest("link", b"x")


async def test_what_lapses_goes_on_lapsing(redis: Redis) -> None:
    await filled(redis)
    await (await rekey_of(redis)).reseal()
    assert 500_000 < await redis.pttl("cc:rewards:1:token") <= 600_000


async def test_a_second_run_leaves_everything_as_it_is(redis: Redis) -> None:
    await filled(redis)
    rekey = await rekey_of(redis)
    await rekey.reseal()
    before = await redis.get("cc:1:r:1")
    assert await rekey.reseal() == 0
    assert await redis.get("cc:1:r:1") == before


async def test_a_rotation_that_was_killed_goes_on_where_it_was(redis: Redis) -> None:
    await filled(redis, people=100)
    rekey, done = await rekey_of(redis), []

    def killed(replaced: int) -> None:
        done.append(replaced)
        raise RuntimeError

    total = (await rekey.look()).others
    with pytest.raises(RuntimeError):
        await rekey.reseal(killed)
    assert (await rekey.look()).by_key == {0: done[0], 1: total - done[0]}
    assert await rekey.reseal() == total - done[0]
    assert (await rekey.look()).others == 0


@pytest.mark.parametrize("field", ["", "f"])
@pytest.mark.parametrize("newer", [b"\x80" + b"n" * 88, None], ids=["written", "removed"])
async def test_what_was_written_or_removed_meanwhile_stays_so(
    redis: Redis, field: str, newer: bytes | None
) -> None:
    vault = Vault([NEW, OLD])
    read = Vault([OLD]).seal(b"x", "p")
    verb = ("reseal", "cc:x", field, mac_of(read), vault.reseal(read))
    if newer is not None:
        await (redis.hset("cc:x", field, newer) if field else redis.set("cc:x", newer))
    assert await Scripts(redis).call(*verb) == 0
    found = await (redis.hget("cc:x", field) if field else redis.get("cc:x"))
    assert found == newer


async def test_writers_beside_it_lose_nothing(redis: Redis) -> None:
    before, serial = await filled(redis, people=60)
    rekey, written, over = await rekey_of(redis), dict[int, bytes](), asyncio.Event()

    async def write(batch: int) -> None:
        number = 0
        while not over.is_set():
            number += 1
            text = f"https://links.example/{batch}/{number}".encode()
            sealed = before.vault.seal(text, f"links:{serial}:{batch}")
            await redis.set(f"cc:{serial}:k:{batch}", sealed)
            written[batch] = text

    writers = [asyncio.create_task(write(batch)) for batch in range(2, 8)]
    for _ in range(5):
        await rekey.reseal()
    over.set()
    await asyncio.gather(*writers)
    await rekey.reseal()
    for batch, text in written.items():
        sealed = await redis.get(f"cc:{serial}:k:{batch}")
        assert Vault([NEW]).open(sealed, f"links:{serial}:{batch}") == text


async def test_what_no_key_opens_is_counted_and_left(redis: Redis) -> None:
    await filled(redis)
    foreign = Vault([Fernet.generate_key().decode()]).seal(b"x", "p")
    await redis.set("cc:1:r:9", foreign)
    rekey = await rekey_of(redis)
    usage = await rekey.look()
    assert (usage.others, usage.unreadable, usage.total) == (10, 1, 11)
    await rekey.reseal()
    assert await redis.get("cc:1:r:9") == foreign


async def test_keys_of_others_and_values_in_clear_are_not_looked_at(redis: Redis) -> None:
    rekey = await rekey_of(redis, OLD)
    await redis.set("other:1", Vault([NEW]).seal(b"x", "p"))
    await redis.set("cc:serial", "7")
    await redis.hset("cc:1:x:1", b"\x80" + b"n" * 88, "7")
    await redis.rpush("cc:audit", "{}")
    assert (await rekey.look()).by_key == {0: 1}, "the digest key"


@given(sizes=st.lists(st.integers(1, 40_000), max_size=30))
def test_each_script_is_given_all_that_fits_and_not_much_more(sizes: list[int]) -> None:
    given = [Replacement(Blob(b"k", b"", b"m"), bytes(size)) for size in sizes]
    found = list(chunks(iter(given)))
    assert [each for chunk in found for each in chunk] == given
    loads = [sum(len(each.sealed) for each in chunk) for chunk in found]
    assert all(load < 64 * 1024 + 40_000 for load in loads)
    assert len(found) <= sum(sizes) // (64 * 1024) + 1
