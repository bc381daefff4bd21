"""The hash of a campaign, read: what is absent is nothing, and what is shown is asked for."""

from collections.abc import Mapping

import pytest

from pipeline.domain.batch import Lane
from pipeline.domain.models import CampaignState, ChannelName, DeliveryStatus
from pipeline.store.formats.snapshot import (
    Block,
    CampaignSnapshot,
    flag_fields,
    halt_fields,
    summary_fields,
)
from pipeline.store.keys import campaign_key
from pipeline.store.scripts import server_ms
from pipeline.views.campaign_status import campaign_state, moves
from tests.pipeline.ledger import Ledger, a_campaign, submit

NOW = 1_800_000_000_000
REASONS = ("order_failed", "links_short")
FULL = {
    "id": "c",
    "content": "digest",
    "n": "10",
    "nb": "4",
    "bs": "3",
    "xb": "2",
    "channels": "esw",
    "mode": "all",
    "ver": "2",
    "ver:2": "1500",
    "sub": "1000",
    "t0": "900",
    "d:sent": "1",
    "d:pending": "2",
    "d:uncertain:forgotten": "3",
    "c:e:sent": "4",
    "b:planned": "5",
    "p:reached": "6",
    "l:ordered": "7",
    "n:reordered": "8",
    "h:order_failed": "9",
    "h:links_short": "0",
}


def snapshot(fields: Mapping[str, str]) -> CampaignSnapshot:
    return CampaignSnapshot("7", fields, NOW)


def test_every_stored_field_has_a_name() -> None:
    found = snapshot(FULL)
    assert (found.campaign_id, found.content, found.recipients) == ("c", "digest", 10)
    assert (found.batch_count, found.batch_size, found.lookup_buckets) == (4, 3, 2)
    assert found.channels == (ChannelName.EMAIL, ChannelName.SMS, ChannelName.WEBHOOK)
    assert (found.mode, found.version) == ("all", 2)
    assert found.version_starts() == {1: 1000, 2: 1500}
    assert (found.submitted_ms, found.epoch_ms) == (1000, 900)
    assert found.deliveries()["sent"] == 1
    assert found.erased_uncertain == 3
    assert found.tried(ChannelName.EMAIL)[DeliveryStatus.SENT] == 4
    assert found.tried(ChannelName.SMS)[DeliveryStatus.SENT] == 0
    assert found.batches()["planned"] == 5
    assert found.people() == {"reached": 6, "not_reached": 0, "open": 0}
    assert found.links()["ordered"] == 7
    assert found.noted("reordered") == 8
    assert found.held_reasons() == {"order_failed": 9}


def test_the_counters_are_all_fields_that_count_and_are_not_0() -> None:
    assert snapshot(FULL).counters() == {
        "d:sent": 1,
        "d:pending": 2,
        "d:uncertain:forgotten": 3,
        "c:e:sent": 4,
        "b:planned": 5,
        "p:reached": 6,
        "l:ordered": 7,
        "n:reordered": 8,
        "h:order_failed": 9,
    }


def test_a_campaign_that_is_gone_is_nothing() -> None:
    gone = snapshot({})
    assert not gone.exists
    assert not any((gone.ended, gone.paused, gone.cancelled, gone.purging, gone.blocked))
    assert (gone.recipients, gone.channels, gone.counters()) == (0, (), {})


@pytest.mark.parametrize(
    ("field", "name"),
    [("fin", "ended"), ("pau", "paused"), ("can", "cancelled"), ("purging", "purging")],
)
def test_a_flag_is_set_by_being_there(field: str, name: str) -> None:
    assert getattr(snapshot(FULL | {field: "0"}), name)
    assert not getattr(snapshot(FULL), name)


def test_it_begins_when_it_was_submitted_or_is_to_start_whichever_is_later() -> None:
    assert snapshot(FULL).begun_ms == 1000
    assert snapshot(FULL | {"start": "999"}).begun_ms == 1000
    assert snapshot(FULL | {"start": "1001"}).begun_ms == 1001


def test_a_lane_is_blocked_for_a_reason() -> None:
    found = snapshot(
        {
            "blk:o": "insufficient_funds",
            "blk:o:until": "5",
            "blk:o:n": "3",
            "blk:s": "credentials",
            "blk:s:text": "no such user",
        }
    )
    assert found.blocked == {
        Lane.ORDER: Block(reason="insufficient_funds", words=None, probe_ms=5, probes=3),
        Lane.SEND: Block(reason="credentials", words="no such user", probe_ms=0, probes=0),
    }
    assert [found.probes(lane) for lane in (Lane.ORDER, Lane.READ)] == [3, 0]


@pytest.mark.parametrize(
    ("fields", "moment"),
    [
        ({}, 500),
        ({"start": "400"}, 500),
        ({"start": "600"}, 600),
        ({"pau": "1"}, None),
        ({"blk:o": "insufficient_funds"}, None),
        ({"blk:o": "insufficient_funds", "blk:o:until": "700", "start": "600"}, 700),
        ({"blk:o": "insufficient_funds", "blk:o:until": "700", "pau": "1"}, None),
        ({"blk:o:until": "700"}, 500),  # what is not blocked waits for no probe
        ({"blk:s": "credentials"}, 500),
        ({"can": "1", "pau": "1", "start": "600", "blk:o": "x"}, 500),  # only to be ended
    ],
)
def test_a_lane_is_worked_when_nothing_stops_it(
    fields: dict[str, str], moment: float | None
) -> None:
    asked = flag_fields()
    found = snapshot({name: fields[name] for name in asked if name in fields})
    assert found.workable_at(Lane.ORDER, 500) == moment
    assert snapshot(FULL | fields).workable_at(Lane.ORDER, 500) == moment


@pytest.mark.parametrize("fields", [{"pau": "1"}, {"can": "1"}, {"start": str(NOW + 1)}])
def test_some_fields_answer_what_they_tell(fields: dict[str, str]) -> None:
    reply = [fields[name].encode() if name in fields else None for name in halt_fields()]
    found = CampaignSnapshot.of_some("7", halt_fields(), reply, NOW)
    assert (found.serial, found.now_ms) == ("7", NOW)
    assert found.halted == snapshot(FULL | fields).halted == ("start" not in fields)


async def test_every_way_to_read_it_says_at_what_time(ledger: Ledger) -> None:
    serial = await submit(ledger, a_campaign())
    started = server_ms(await ledger.redis.time()) - 1
    await ledger.redis.hset(campaign_key(serial), "start", started)
    page = await ledger.pages.page(serial, [1])
    found = [
        await ledger.campaigns.snapshot(serial),
        *await ledger.campaigns.snapshots([serial]),
        (await ledger.campaigns.totals(serial)).snapshot,
        page.campaign,
    ]
    assert {campaign_state(each)[0] for each in found} == {CampaignState.RUNNING}


async def test_a_block_is_read_as_the_verb_writes_it(ledger: Ledger) -> None:
    serial = await submit(ledger, a_campaign())
    await ledger.campaigns.block(serial, Lane.READ, "credentials", "words", probe_after=0)
    await ledger.campaigns.block(serial, Lane.ORDER, "insufficient_funds", "", probe_after=60)
    found = await ledger.campaigns.snapshot(serial)
    probe_ms = found.blocked[Lane.ORDER].probe_ms
    assert found.blocked == {
        Lane.READ: Block(reason="credentials", words="words", probe_ms=0, probes=0),
        Lane.ORDER: Block(reason="insufficient_funds", words="", probe_ms=probe_ms, probes=1),
    }
    assert 0 < probe_ms - 60_000 <= found.now_ms
    assert await ledger.campaigns.unblock(serial, Lane.READ)
    assert list((await ledger.campaigns.snapshot(serial)).blocked) == [Lane.ORDER]


@pytest.mark.parametrize(
    "more",
    [
        {},
        *({"pau": "1"}, {"can": "1"}, {"fin": "1"}, {"start": str(NOW + 1)}),
        *({"blk:o": "x"}, {"blk:r": "x"}, {"blk:s": "x"}),
        *({"b:planned": "0", "b:held": "9"}, {"b:planned": "0"}),
    ],
)
def test_the_summary_is_enough_for_state_and_figures(more: dict[str, str]) -> None:
    asked = summary_fields(REASONS)
    assert len(set(asked)) == len(asked)
    fields = FULL | more
    whole = snapshot(fields)
    summary = snapshot({name: fields[name] for name in asked if name in fields})
    assert campaign_state(summary) == campaign_state(whole)
    assert moves(summary) == moves(whole)
    assert summary.blocked.keys() == whole.blocked.keys()
    assert summary.held_reasons() == whole.held_reasons()
    for figures in ("deliveries", "batches", "people", "links"):
        assert getattr(summary, figures)() == getattr(whole, figures)()
    assert [summary.tried(channel) for channel in ChannelName] == [
        whole.tried(channel) for channel in ChannelName
    ]
    assert (summary.channels, summary.begun_ms) == (whole.channels, whole.begun_ms)
