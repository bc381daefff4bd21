"""When a delivery was started, settled, or is tried again, from its compact record."""

from pipeline.domain.models import DeliveryStatus
from pipeline.store.formats.records import DeliveryRecord

_LEFT = frozenset(
    {
        DeliveryStatus.SENT,
        DeliveryStatus.DELIVERED,
        DeliveryStatus.BOUNCED,
        DeliveryStatus.UNCERTAIN,
    }
)
_SETTLED = frozenset(
    {
        DeliveryStatus.SENT,
        DeliveryStatus.DELIVERED,
        DeliveryStatus.BOUNCED,
        DeliveryStatus.FAILED,
        DeliveryStatus.SUPPRESSED,
    }
)


def started_at(record: DeliveryRecord, epoch_ms: int) -> int:
    """Return when the last attempt was started, in ms since the epoch; 0 for never."""
    return epoch_ms + record.started_ms if record.attempt else 0


def sent_at(record: DeliveryRecord, epoch_ms: int) -> int:
    """Return when the message was sent that the provider accepted, or may have; 0 if none was."""
    return started_at(record, epoch_ms) if record.status in _LEFT else 0


def settled_at(record: DeliveryRecord, epoch_ms: int) -> int:
    """Return when the last result of the delivery came; 0 while it is open or never began."""
    if record.status not in _SETTLED or not record.attempt:
        return 0
    return epoch_ms + record.started_ms + record.after_ms


def next_at(record: DeliveryRecord, epoch_ms: int) -> int:
    """Return from when a delivery that failed for now may be tried again; 0 for at once."""
    if record.status is not DeliveryStatus.PENDING or not record.attempt:
        return 0
    return epoch_ms + record.started_ms + record.after_ms
