"""E-mail over SMTP."""

from channels.email.adapter import EmailChannel
from channels.email.mime import EmailComposer
from channels.email.server import SmtpServer

__all__ = ["EmailChannel", "EmailComposer", "SmtpServer"]
