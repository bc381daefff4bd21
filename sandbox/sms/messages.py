"""What a text message is in the sandbox, and how it looks in Twilio's JSON."""

from datetime import UTC, datetime
from email.utils import format_datetime
from math import ceil
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

POOL_NUMBER = "+15005550006"
"""What a messaging service sends from: the valid sender among Twilio's own test numbers."""

Final = Literal["delivered", "undelivered"]


class SmsMessage(BaseModel):
    """
    One message that was accepted; its fate is settled then, and time brings it about.

    Times are seconds since the epoch. `sender` is empty if `service` was given.
    """

    model_config = ConfigDict(frozen=True)

    sid: str
    to: str
    body: str
    sender: str = ""
    service: str = ""
    callback: str = ""
    created_at: float
    sent_at: float
    final_at: float
    final: Final
    error_code: int | None = None

    @property
    def origin(self) -> str:
        return self.sender or POOL_NUMBER

    def status(self, now: float) -> str:
        if now <= self.sent_at:
            return "accepted" if self.service else "queued"
        return "sent" if now <= self.final_at else self.final

    def error(self, now: float) -> int | None:
        return self.error_code if now > self.final_at else None


def resource(message: SmsMessage, account_sid: str, now: float) -> dict[str, Any]:
    """Return *message* as the API shows it at *now*."""
    sent = now > message.sent_at
    path = f"/2010-04-01/Accounts/{account_sid}/Messages/{message.sid}"
    return {
        "account_sid": account_sid,
        "api_version": "2010-04-01",
        "body": message.body,
        "date_created": _date(message.created_at),
        "date_sent": _date(message.sent_at) if sent else None,
        "date_updated": _date(min(now, message.final_at)),
        "direction": "outbound-api",
        "error_code": message.error(now),
        "error_message": None,
        "from": message.origin if sent or message.sender else None,
        "messaging_service_sid": message.service or None,
        "num_media": "0",
        "num_segments": str(_segments(message.body)),
        "price": None,
        "price_unit": "USD",
        "sid": message.sid,
        "status": message.status(now),
        "subresource_uris": {"media": f"{path}/Media.json"},
        "to": message.to,
        "uri": f"{path}.json",
    }


def _date(seconds: float) -> str:
    return format_datetime(datetime.fromtimestamp(int(seconds), UTC))


def _segments(body: str) -> int:
    # Near enough for a sandbox, which sends no bills.
    alone, each = (160, 153) if body.isascii() else (70, 67)
    return 1 if len(body) <= alone else ceil(len(body) / each)
