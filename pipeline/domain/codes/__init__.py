"""Every code that a delivery, a batch or a campaign can stop with: what it means, what to do."""

from dataclasses import replace

from pipeline.domain.codes.batches import HOLDS, NOTES
from pipeline.domain.codes.blocks import BLOCKS
from pipeline.domain.codes.deliveries import DELIVERIES
from pipeline.domain.codes.reason import Reason
from pipeline.domain.codes.sms import SMS, TWILIO
from pipeline.domain.codes.smtp import SMTP
from pipeline.domain.codes.webhook import STATUSES, WEBHOOK

__all__ = ["REASONS", "Reason", "find_reason", "in_words"]

REASONS = {
    reason.code: reason for reason in (*HOLDS, *BLOCKS, *DELIVERIES, *SMS, *WEBHOOK, *NOTES)
}


def find_reason(code: str) -> Reason | None:
    """Return what a code means; None if it is none that this program uses."""
    if code in REASONS:
        return REASONS[code]
    for pattern, reason in (*SMTP, *TWILIO, *STATUSES):
        if pattern.fullmatch(code):
            return replace(reason, code=code)
    return None


def in_words(code: str) -> str:
    """Return the code's meaning as a clause; an unknown code stands for itself."""
    reason = find_reason(code)
    return code if reason is None else reason.meaning
