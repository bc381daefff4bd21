"""What makes the messages of a campaign, also where no provider is configured."""

from channels.email import EmailChannel, SmtpServer
from channels.sms import SmsComposer
from channels.webhook import WebhookComposer
from config.settings import Settings
from pipeline.domain.campaign import Campaign
from pipeline.domain.models import ChannelName
from pipeline.domain.ports import Composer
from worker.wiring.values import smtp_server

_NO_SERVER = SmtpServer(host="localhost", sender="sender@example.com")
"""Enough to compose with, where no mail server is configured."""


def composer(settings: Settings, campaign: Campaign, channel: ChannelName) -> Composer:
    """
    Return what makes the messages of *campaign* for one of its channels.

    Raises InputError if a template, the sender or `reply_to` cannot be used.
    """
    if channel is ChannelName.EMAIL:
        server = smtp_server(settings) if settings.smtp else _NO_SERVER
        return EmailChannel(server).composer(campaign)
    if channel is ChannelName.SMS and campaign.sms is not None:
        return SmsComposer(campaign.sms)
    return WebhookComposer(campaign)
