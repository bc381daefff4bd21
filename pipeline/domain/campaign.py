"""What a campaign is: the file's keys as one frozen, validated value."""

import unicodedata
from datetime import time
from decimal import Decimal
from typing import Annotated, Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    model_validator,
)

from pipeline.domain.models import ChannelName
from pipeline.domain.rate import Rate

CAMPAIGN_ID = r"^[a-z0-9][a-z0-9-]{0,39}$"


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


def _decimal_text(value: object) -> object:
    # A TOML or JSON float has already lost the cents that were written.
    if isinstance(value, float):
        msg = 'write the amount as a string, e.g. "10.00"'
        raise ValueError(msg)  # noqa: TRY004 - pydantic turns only ValueError into a report
    return value


def _single_line(value: str) -> str:
    # Not isprintable: names in many scripts need joiners and special spaces.
    if any(unicodedata.category(letter) in {"Cc", "Zl", "Zp"} for letter in value):
        msg = "must be one line without control characters"
        raise ValueError(msg)
    return value


Amount = Annotated[
    Decimal, BeforeValidator(_decimal_text), Field(gt=0, max_digits=12, decimal_places=2)
]
Line = Annotated[
    str, StringConstraints(min_length=1, max_length=998), AfterValidator(_single_line)
]


class Reward(_Section):
    product_id: Annotated[str, StringConstraints(min_length=1, max_length=200)]
    value: Amount
    currency: Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")] | None = None
    max_total: Amount | None = None


class Window(_Section):
    start: time
    end: time
    timezone: str = "recipient"
    default_timezone: str = "UTC"
    """For recipients without a time zone of their own."""

    @model_validator(mode="after")
    def _known_zone(self) -> Self:
        if self.start == self.end:
            msg = "start and end must differ"
            raise ValueError(msg)
        for name in ({self.timezone} - {"recipient"}) | {self.default_timezone}:
            try:
                ZoneInfo(name)
            except (ZoneInfoNotFoundError, ValueError, OSError) as error:
                msg = f'timezone "{name}" is not an IANA name such as Europe/Paris'
                raise ValueError(msg) from error
        return self


class Delivery(_Section):
    channels: Annotated[tuple[ChannelName, ...], Field(min_length=1)]
    mode: Literal["first", "all"] = "first"
    duplicates: Literal["error", "skip", "allow"] = "error"
    window: Window | None = None

    @model_validator(mode="after")
    def _channels_once(self) -> Self:
        if len(set(self.channels)) != len(self.channels):
            msg = "channels names a channel twice"
            raise ValueError(msg)
        return self


class EmailContent(_Section):
    subject: Line
    text: Annotated[str, StringConstraints(min_length=1)]
    html: str | None = None
    reply_to: Line | None = None
    on_uncertain: Literal["resend", "hold"] = "resend"


class SmsContent(_Section):
    body: Annotated[str, StringConstraints(min_length=1)]
    on_uncertain: Literal["resend", "hold"] = "hold"


class WebhookContent(_Section):
    body: Annotated[str, StringConstraints(min_length=1)]
    title: Annotated[str, StringConstraints(min_length=1)] | None = None
    on_uncertain: Literal["resend", "hold"] = "resend"


class CampaignLimits(_Section):
    email: Rate | None = None
    sms: Rate | None = None
    webhook: Rate | None = None


class Campaign(_Section):
    """One distribution; `id` is the idempotency key of the whole campaign."""

    id: Annotated[str, StringConstraints(pattern=CAMPAIGN_ID)]
    name: Line
    reward: Reward
    delivery: Delivery
    email: EmailContent | None = None
    sms: SmsContent | None = None
    webhook: WebhookContent | None = None
    limits: CampaignLimits = CampaignLimits()

    @model_validator(mode="after")
    def _every_channel_has_content(self) -> Self:
        for channel in self.delivery.channels:
            if self.content(channel) is None:
                msg = f"delivery.channels names {channel}, but there is no [{channel}] section"
                raise ValueError(msg)
        return self

    def content(self, channel: ChannelName) -> EmailContent | SmsContent | WebhookContent | None:
        """Return the section of *channel*, which has its name; None if there is none."""
        found: EmailContent | SmsContent | WebhookContent | None = getattr(self, channel)
        return found

    def resends(self, channel: ChannelName) -> bool:
        """Return whether workers send an uncertain delivery over *channel* again."""
        content = self.content(channel)
        return content is not None and content.on_uncertain == "resend"

    def limit(self, channel: ChannelName) -> Rate | None:
        """Return the campaign's own rate for *channel*; None if it has none."""
        rate: Rate | None = getattr(self.limits, channel)
        return rate
