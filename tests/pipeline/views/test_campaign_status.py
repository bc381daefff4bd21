"""The status says in words what the counters mean."""

import pytest

from pipeline.domain.clock import iso
from pipeline.domain.models import CampaignState
from pipeline.store.formats.snapshot import CampaignSnapshot
from pipeline.views.campaign_status import as_json, campaign_state, ended, moves, reached_everybody
from tests.pipeline.ledger import Ledger, a_campaign, people, submit, taken

NOW = 1_800_000_000_000
BASE = {"id": "c", "n": "10", "sub": "1799999999000", "b:planned": "1"}
HELD = {"b:planned": "0", "b:held": "2", "h:order_failed": "1", "h:links_short": "0"}


def a_snapshot(**fields: str) -> CampaignSnapshot:
    return CampaignSnapshot(
        "1", BASE | {name.replace("_", ":", 1): v for name, v in fields.items()}, NOW
    )


def with_fields(fields: dict[str, str]) -> CampaignSnapshot:
    return CampaignSnapshot("1", BASE | fields, NOW)


@pytest.mark.parametrize(
    ("fields", "state", "reason", "moving"),
    [
        ({}, CampaignState.RUNNING, None, True),
        ({"start": str(NOW + 1)}, CampaignState.SCHEDULED, None, True),
        ({"start": str(NOW)}, CampaignState.RUNNING, None, True),
        ({"pau": "1"}, CampaignState.PAUSED, None, False),
        ({"fin": "1"}, CampaignState.FINISHED, None, False),
        ({"can": "1"}, CampaignState.CANCELLED, None, True),
        ({"can": "1", "fin": "1"}, CampaignState.CANCELLED, None, False),
        ({"blk:o": "credentials"}, CampaignState.BLOCKED, "credentials", False),
        (
            {"blk:o": "insufficient_funds", "blk:o:until": str(NOW)},
            CampaignState.BLOCKED,
            "insufficient_funds",
            True,
        ),
        ({"blk:o": "credentials", "b:fulfilled": "1"}, CampaignState.BLOCKED, "credentials", True),
        ({"b:planned": "0", "h:order_failed": "0"}, CampaignState.RUNNING, None, False),
        (HELD, CampaignState.BLOCKED, "order_failed", False),
        ({**HELD, "b:ordered": "1"}, CampaignState.RUNNING, None, True),
    ],
)
def test_the_state_and_whether_it_moves_on_by_itself(
    fields: dict[str, str],
    state: CampaignState,
    reason: str | None,
    moving: bool,  # noqa: FBT001
) -> None:
    snapshot = with_fields(fields)
    assert campaign_state(snapshot) == (state, reason)
    assert moves(snapshot) == moving
    assert ended(snapshot) == ("fin" in fields)


def test_everybody_is_reached_only_when_nobody_is_left_out_or_open() -> None:
    assert reached_everybody(with_fields({"p:reached": "10"}))
    assert not reached_everybody(with_fields({"p:reached": "9", "p:open": "1"}))
    assert not reached_everybody(with_fields({"p:reached": "9", "p:not_reached": "1"}))


def test_times_are_shown_in_utc() -> None:
    assert iso(0) is None
    assert iso(1_795_366_800_000) == "2026-11-22T17:00:00Z"


async def test_the_document_is_the_one_that_others_rely_on(ledger: Ledger) -> None:
    serial = await submit(ledger, a_campaign("survey"), [people(3)])
    found = as_json(await ledger.campaigns.snapshot(serial))
    assert found.pop("submitted_at").endswith("Z")
    assert found == {
        "campaign": "survey",
        "state": "running",
        "reason": None,
        "recipients": 3,
        "people": {"reached": 0, "not_reached": 0, "open": 3},
        "deliveries": {
            "pending": 3,
            "sending": 0,
            "sent": 0,
            "delivered": 0,
            "bounced": 0,
            "failed": 0,
            "suppressed": 0,
            "uncertain": 0,
            "skipped": 0,
        },
        "links": {
            "ordered": 0,
            "received": 0,
            "awaited": 0,
            "missing": 0,
            "assigned": 0,
            "spare": 0,
        },
        "batches": {
            "planned": 1,
            "ordered": 0,
            "fulfilled": 0,
            "done": 0,
            "held": 0,
            "cancelled": 0,
        },
        "finished_at": None,
        "purged_at": None,
    }


async def test_a_held_batch_shows_its_reason(ledger: Ledger) -> None:
    serial = await submit(ledger, a_campaign())
    await ledger.batches.hold(await taken(ledger, serial), "foreign_order", missing=0, reread=0)
    found = as_json(await ledger.campaigns.snapshot(serial))
    assert (found["state"], found["reason"]) == ("blocked", "foreign_order")
