"""Every sealed value is found, wherever it is, and replaced only if it did not change."""

import pytest

from pipeline.store.maintenance.sealed_blobs import Blob, Replacement
from tests.pipeline.ledger import Ledger, a_campaign, fulfilled, submit


async def found(ledger: Ledger) -> list[Blob]:
    return [blob async for page in ledger.blobs.pages() for blob in page]


async def test_blobs_are_told_from_values_in_clear(ledger: Ledger) -> None:
    serial = await submit(ledger, a_campaign())
    await fulfilled(ledger, serial)
    assert {(blob.key.decode(), blob.field) for blob in await found(ledger)} == {
        *((f"cc:{serial}:{kind}", b"") for kind in ("def", "r:1", "k:1"))
    }


async def test_hashes_of_an_unknown_kind_are_read(ledger: Ledger) -> None:
    sealed = ledger.vault.seal(b"x", "something new")
    await ledger.redis.hset("cc:new", mapping={"clear": "x", "sealed": sealed})
    await ledger.redis.hset("other:new", "sealed", sealed)
    assert await found(ledger) == [Blob(b"cc:new", b"sealed", sealed)]


@pytest.mark.parametrize("field", [b"", b"f"], ids=["value", "field"])
async def test_only_a_blob_that_is_as_it_was_read_is_replaced(
    ledger: Ledger, field: bytes
) -> None:
    old, new, newer = (ledger.vault.seal(text, "p") for text in (b"old", b"new", b"newer"))

    async def put(key: str, value: bytes) -> None:
        await (ledger.redis.hset(key, field, value) if field else ledger.redis.set(key, value))

    async def got(key: str) -> object:
        return await (ledger.redis.hget(key, field) if field else ledger.redis.get(key))

    await put("cc:kept", old)
    await put("cc:changed", newer)
    wanted = [
        Replacement(Blob(key, field, old), new) for key in (b"cc:kept", b"cc:changed", b"cc:gone")
    ]
    assert await ledger.blobs.replace(wanted) == 1
    assert (await got("cc:kept"), await got("cc:changed")) == (new, newer)
    assert not await ledger.redis.exists("cc:gone")
    assert await ledger.blobs.replace(wanted) == 0, "it may be repeated"
