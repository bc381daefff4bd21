"""The values that the pipeline passes around, and the states they can be in."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NewType
from uuid import UUID, uuid5

DeliveryKey = NewType("DeliveryKey", str)

_NAMESPACE = UUID("6f2f4f5e-6f0b-5b0e-9d53-1f8d0c1a7c11")


class ChannelName(StrEnum):
    EMAIL = "email"
    SMS = "sms"
    WEBHOOK = "webhook"


ADDRESS_FIELD = {
    ChannelName.EMAIL: "email",
    ChannelName.SMS: "phone",
    ChannelName.WEBHOOK: "id",
}
"""The field of a recipient that says where a channel reaches them."""


class CampaignState(StrEnum):
    SUBMITTING = "submitting"
    SCHEDULED = "scheduled"
    AWAITING_APPROVAL = "awaiting_approval"
    RUNNING = "running"
    PAUSED = "paused"
    BLOCKED = "blocked"
    FINISHED = "finished"
    CANCELLED = "cancelled"


class BatchState(StrEnum):
    PLANNED = "planned"
    ORDERED = "ordered"
    FULFILLED = "fulfilled"
    DONE = "done"
    HELD = "held"
    CANCELLED = "cancelled"


class DeliveryStatus(StrEnum):
    """Where a delivery is; the order of the facts is in `record.lua`."""

    PENDING = "pending"
    SENDING = "sending"
    SENT = "sent"
    DELIVERED = "delivered"
    BOUNCED = "bounced"
    FAILED = "failed"
    SUPPRESSED = "suppressed"
    UNCERTAIN = "uncertain"
    SKIPPED = "skipped"


class FactKind(StrEnum):
    """What happened to an attempt; the verb `record` says what each does to a delivery."""

    SENT = "sent"
    DELIVERED = "delivered"
    BOUNCED = "bounced"
    FAILED = "failed"
    FAILED_OUTRIGHT = "failed_outright"
    """Failed, and that is no reason to try another channel."""
    SUPPRESSED = "suppressed"
    UNCERTAIN = "uncertain"
    """It may have arrived; costs a try."""
    DEFERRED = "deferred"
    """A transient failure: costs a try, and is tried again."""
    RELEASED = "released"
    """Certainly not sent; costs nothing."""
    LOOKED_FOR = "looked_for"
    """The provider was asked about an uncertain message, and will be asked again."""
    NOT_FOUND = "not_found"
    """The provider does not have it, so it may be sent again."""
    WAITING = "waiting"
    """Not started yet: it waits for its window."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipient:
    """
    One row of the recipients file, validated and normalised.

    `id` is unique within the campaign; `email` has its domain lowercased, `phone` is E.164; what
    is missing is an empty string. `variables` holds the columns that are not fields here.
    """

    id: str
    email: str = ""
    phone: str = ""
    name: str = ""
    locale: str = ""
    timezone: str = ""
    variables: Mapping[str, str] = field(default_factory=dict)

    def address(self, channel: ChannelName) -> str:
        """Return where *channel* reaches this recipient; a webhook reaches all by their ids."""
        address: str = getattr(self, ADDRESS_FIELD[channel])
        return address


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """
    One message, ready to go out over one channel.

    `to` is the bare address, `content` what goes on the wire (for e-mail the complete RFC 5322
    message with CRLF line ends), `key` the delivery key, the same for every repetition. `sender`
    is the envelope sender if it is not the channel's own, `callback` where the provider reports
    to, `link` what the message can be recognised by at the provider.
    """

    key: DeliveryKey
    to: str
    content: bytes = field(repr=False)
    sender: str = ""
    callback: str = ""
    link: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReturnPaths:
    """Where the answers to one message come back; None while `serve` is not reachable."""

    callback: str | None = None
    unsubscribe: str | None = None
    bounces: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """The provider accepted the message; `reference` is its own id for it, for the log only."""

    reference: str = ""


def delivery_key(
    campaign: str, recipient: str, channel: ChannelName, resend_number: int = 1
) -> DeliveryKey:
    """Return the key of a delivery: the same for the same arguments, everywhere and for ever."""
    # A separator that none of the parts but the recipient id can hold, and that one comes last.
    name = f"{campaign}\n{channel}\n{resend_number}\n{recipient}"
    return DeliveryKey(str(uuid5(_NAMESPACE, name)))
