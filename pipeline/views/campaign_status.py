"""What a campaign's counters mean: its state, and whether it moves on by itself."""

from typing import Any

from pipeline.domain.clock import iso
from pipeline.domain.models import CampaignState
from pipeline.store.campaigns import Snapshot

_LANES = {"o": "b:planned", "r": "b:ordered", "s": "b:fulfilled"}


def campaign_state(snapshot: Snapshot) -> tuple[CampaignState, str | None]:
    """Return the state as contract.md names it, and the code of the reason if there is one."""
    if snapshot.text("can"):
        return CampaignState.CANCELLED, None
    if snapshot.text("fin"):
        return CampaignState.FINISHED, None
    if snapshot.text("pau"):
        return CampaignState.PAUSED, None
    if snapshot.number("start") > snapshot.now_ms:
        return CampaignState.SCHEDULED, None
    reason = _block(snapshot)
    if reason is None and not any(snapshot.number(count) for count in _LANES.values()):
        held = snapshot.held_reasons()
        reason = max(held, key=lambda code: held[code], default=None)
    return (CampaignState.BLOCKED, reason) if reason else (CampaignState.RUNNING, None)


def ended(snapshot: Snapshot) -> bool:
    """Return whether every batch has come to its end."""
    return bool(snapshot.text("fin"))


def moves(snapshot: Snapshot) -> bool:
    """
    Return whether the campaign goes on without a person, now or at a known time.

    A lane that is blocked with a probe ahead (funds) moves; one that only a person can unblock
    does not, and neither do held batches.
    """
    if ended(snapshot) or snapshot.text("can"):
        return not ended(snapshot)
    if snapshot.text("pau"):
        return False
    return any(
        snapshot.number(count) > 0 and not _stuck(snapshot, lane) for lane, count in _LANES.items()
    )


def reached_everybody(snapshot: Snapshot) -> bool:
    people = snapshot.people()
    return not people["not_reached"] and not people["open"]


def as_json(snapshot: Snapshot) -> dict[str, Any]:
    """Return the document of `status --json` (contract.md)."""
    state, reason = campaign_state(snapshot)
    return {
        "campaign": snapshot.campaign_id,
        "state": state.value,
        "reason": reason,
        "recipients": snapshot.number("n"),
        "people": snapshot.people(),
        "deliveries": snapshot.deliveries(),
        "links": snapshot.links(),
        "batches": snapshot.batches(),
        "submitted_at": iso(snapshot.number("sub")),
        "finished_at": iso(snapshot.number("fin")),
        "purged_at": iso(snapshot.number("purged")),
    }


def _block(snapshot: Snapshot) -> str | None:
    return next((found for lane in _LANES if (found := snapshot.text(f"blk:{lane}"))), None)


def _stuck(snapshot: Snapshot, lane: str) -> bool:
    return bool(snapshot.text(f"blk:{lane}")) and not snapshot.text(f"blk:{lane}:until")
