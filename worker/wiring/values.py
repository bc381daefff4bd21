"""The settings as the parts of a worker take them: values, never the settings themselves."""

from channels.email import SmtpServer
from channels.sms import TwilioAccount
from channels.webhook import WebhookTarget
from config.settings import Settings, TwilioSettings, WebhookSettings
from pipeline.domain.errors import InputError
from pipeline.sending.delivery_decisions import RetryPolicy


def smtp_server(settings: Settings) -> SmtpServer:
    """Return the mail server's settings as the channel takes them."""
    smtp = settings.smtp
    if smtp is None:
        msg = "E-mail is not configured: set CLAIMCAST_SMTP__HOST and CLAIMCAST_SMTP__SENDER."
        raise InputError(msg)
    return SmtpServer(
        host=smtp.host,
        port=smtp.port,
        username=smtp.username,
        password=smtp.password.get_secret_value() if smtp.password else None,
        security=smtp.security,
        sender=smtp.sender,
        connections=smtp.connections,
    )


def twilio_account(twilio: TwilioSettings) -> TwilioAccount:
    return TwilioAccount(
        account_sid=twilio.account_sid,
        auth_token=twilio.auth_token.get_secret_value(),
        messaging_service_sid=twilio.messaging_service_sid,
        from_number=twilio.from_number,
        base_url=twilio.base_url,
    )


def webhook_target(webhook: WebhookSettings) -> WebhookTarget:
    return WebhookTarget(
        url=webhook.url,
        secret=webhook.secret.get_secret_value(),
        connections=webhook.connections,
    )


def retry_policy(settings: Settings) -> RetryPolicy:
    retry = settings.retry
    return RetryPolicy(
        first=retry.first.total_seconds(),
        cap=retry.cap.total_seconds(),
        give_up=retry.give_up.total_seconds(),
    )
