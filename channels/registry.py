"""Which adapter serves which channel; each is made from its own settings as values."""

from collections.abc import Callable, Mapping

from channels.email import EmailChannel
from channels.sms import SmsChannel
from channels.webhook import WebhookChannel
from pipeline.domain.models import ChannelName
from pipeline.domain.ports import Channel

ADAPTERS: Mapping[ChannelName, Callable[..., Channel]] = {
    ChannelName.EMAIL: EmailChannel,
    ChannelName.SMS: SmsChannel,
    ChannelName.WEBHOOK: WebhookChannel,
}
