"""The look-ups beside the batches say where somebody is, and whose a link is."""

from pipeline.store.keys import lookup_key
from pipeline.store.lookups import (
    LinkOwner,
    bucket_of,
    id_digest,
    link_digest,
    link_digests,
    link_place,
)
from tests.pipeline.ledger import Ledger, a_campaign, fulfilled, links_of, people, submit

CROWD = [people(3), people(2, first=3)]


async def buckets(ledger: Ledger, serial: str) -> int:
    return (await ledger.campaigns.snapshot(serial)).lookup_buckets


async def test_ids_are_found_where_the_submit_put_them(ledger: Ledger) -> None:
    serial = await submit(ledger, a_campaign(), CROWD)
    known = await buckets(ledger, serial)
    asked = [f"r-{n}" for n in (4, 0, 9, 2)]
    assert await ledger.lookups.positions(serial, known, asked) == [4, 0, None, 2]
    assert await ledger.lookups.count(serial, known) == 5


async def test_a_malformed_position_is_none(ledger: Ledger) -> None:
    serial = await submit(ledger, a_campaign(), CROWD)
    known = await buckets(ledger, serial)
    bucket, digest = ledger.lookups.place_of(serial, known, "r-1")
    await ledger.redis.hset(lookup_key(serial, bucket), digest, "-3")
    assert await ledger.lookups.positions(serial, known, ["r-1", "r-2"]) == [None, 2]


async def test_the_places_of_positions_are_those_of_their_ids(ledger: Ledger) -> None:
    serial = await submit(ledger, a_campaign(), CROWD)
    known = await buckets(ledger, serial)
    found = await ledger.lookups.places(serial, known, [1, 4, 77])
    assert found == {n: ledger.lookups.place_of(serial, known, f"r-{n}") for n in (1, 4)}
    for position, (bucket, digest) in found.items():
        stored = await ledger.redis.hget(lookup_key(serial, bucket), digest)
        assert int(stored) == position
    assert await ledger.lookups.places(serial, known, []) == {}


async def test_a_link_is_owned_by_the_batch_that_it_came_for(ledger: Ledger) -> None:
    serial = await submit(ledger, a_campaign(), CROWD)
    await fulfilled(ledger, serial, 2)
    links = links_of(serial, 2, 2)
    owner = LinkOwner(serial, "2")
    found = await ledger.lookups.owners([links[1], "https://else.example", links[0]])
    assert found == [owner, None, owner]
    key, field = link_place(link_digest(ledger.vault, links[0]))
    assert await ledger.redis.hget(key, field) == f"{serial}:2".encode()


def test_digests_tell_campaigns_and_ids_apart_and_are_spread_over_all_buckets(
    ledger: Ledger,
) -> None:
    vault = ledger.vault
    pairs = [("1", "a"), ("2", "a"), ("1", "b"), ("1", "A"), ("1", "a ")]
    assert len({id_digest(vault, *pair) for pair in pairs}) == len(pairs)
    digests = [id_digest(vault, "1", str(n)) for n in range(500)]
    assert {bucket_of(digest, 7) for digest in digests} == set(range(7))


def test_the_digests_of_links_follow_each_other(ledger: Ledger) -> None:
    links = ["https://a.example", "https://b.example"]
    parts = [link_digest(ledger.vault, link) for link in links]
    assert link_digests(ledger.vault, links) == b"".join(parts)
    assert parts[0] != parts[1]
