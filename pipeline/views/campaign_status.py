"""What a campaign's counters mean: its state, and whether it moves on by itself."""

from typing import Any

from pipeline.domain.batch import Lane
from pipeline.domain.clock import iso
from pipeline.domain.models import BatchState, CampaignState
from pipeline.store.formats.snapshot import CampaignSnapshot

DOING = {Lane.ORDER: "ordering", Lane.READ: "reading orders", Lane.SEND: "sending"}
"""What stops while a lane is blocked, in words."""

_WAITING = {
    Lane.ORDER: BatchState.PLANNED,
    Lane.READ: BatchState.ORDERED,
    Lane.SEND: BatchState.FULFILLED,
}


def campaign_state(snapshot: CampaignSnapshot) -> tuple[CampaignState, str | None]:
    """Return the state as docs/integrate/formats.md names it, and the code of its reason."""
    if snapshot.cancelled:
        return CampaignState.CANCELLED, None
    if snapshot.ended:
        return CampaignState.FINISHED, None
    if snapshot.paused:
        return CampaignState.PAUSED, None
    if snapshot.starts_ms > snapshot.now_ms:
        return CampaignState.SCHEDULED, None
    reason = _block(snapshot)
    if reason is None and not any(_waiting(snapshot).values()):
        held = snapshot.held_reasons()
        reason = max(held, key=lambda code: held[code], default=None)
    return (CampaignState.BLOCKED, reason) if reason else (CampaignState.RUNNING, None)


def ended(snapshot: CampaignSnapshot) -> bool:
    """Return whether every batch has come to its end."""
    return snapshot.ended


def moves(snapshot: CampaignSnapshot) -> bool:
    """
    Return whether the campaign goes on without a person, now or at a known time.

    A lane that is blocked until a probe (funds) moves. A lane that only a person can unblock does
    not, and neither do held batches.
    """
    if ended(snapshot) or snapshot.cancelled:
        return not ended(snapshot)
    if snapshot.paused:
        return False
    return any(
        number > 0 and not _stuck(snapshot, lane) for lane, number in _waiting(snapshot).items()
    )


def reached_everybody(snapshot: CampaignSnapshot) -> bool:
    """Return whether a message reached every recipient of the campaign."""
    people = snapshot.people()
    return not people["not_reached"] and not people["open"]


def as_json(snapshot: CampaignSnapshot) -> dict[str, Any]:
    """Return the document of `status --json` (docs/integrate/formats.md)."""
    state, reason = campaign_state(snapshot)
    return {
        "campaign": snapshot.campaign_id,
        "state": state.value,
        "reason": reason,
        "recipients": snapshot.recipients,
        "people": snapshot.people(),
        "deliveries": snapshot.deliveries(),
        "links": snapshot.links(),
        "batches": snapshot.batches(),
        "submitted_at": iso(snapshot.submitted_ms),
        "finished_at": iso(snapshot.finished_ms),
        "purged_at": iso(snapshot.purged_ms),
    }


def _waiting(snapshot: CampaignSnapshot) -> dict[Lane, int]:
    """Return how many batches each lane has to work on."""
    batches = snapshot.batches()
    return {lane: batches[state] for lane, state in _WAITING.items()}


def _block(snapshot: CampaignSnapshot) -> str | None:
    return next((block.reason for block in snapshot.blocked.values()), None)


def _stuck(snapshot: CampaignSnapshot, lane: Lane) -> bool:
    block = snapshot.blocked.get(lane)
    return block is not None and not block.probe_ms
