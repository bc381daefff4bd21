"""Delivery status notifications as mail servers write them."""

from collections.abc import Sequence

POSTFIX = """\
From: MAILER-DAEMON@mx.example.com (Mail Delivery System)
To: {to}
Subject: Undelivered Mail Returned to Sender
Auto-Submitted: auto-replied
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status;
\tboundary="4Xb.1732300000/mx.example.com"

This is a MIME-encapsulated message.

--4Xb.1732300000/mx.example.com
Content-Description: Notification
Content-Type: text/plain; charset=us-ascii

<person@example.com>: host mx.example.com said: 550 5.1.1 no such user

--4Xb.1732300000/mx.example.com
Content-Description: Delivery report
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.example.com
Arrival-Date: Sun, 22 Nov 2026 19:00:00 +0000 (UTC)

{recipients}
--4Xb.1732300000/mx.example.com
Content-Type: message/rfc822

Return-Path: {to}
Subject: Your reward

Status: 5.1.1
Action: failed

--4Xb.1732300000/mx.example.com--
"""


def block(action: str | None = "failed", status: str | None = "5.1.1", words: str = "") -> str:
    """Return the fields about one recipient; None leaves one out."""
    fields = ["Final-Recipient: rfc822; person@example.com"]
    if action is not None:
        fields.append(f"Action: {action}")
    if status is not None:
        fields.append(f"Status: {status}")
    if words:
        fields.append(f"Diagnostic-Code: smtp; {words}")
    return "\n".join(fields) + "\n"


def notification(to: str, recipients: Sequence[str] = ()) -> bytes:
    """Return a notification, with LF line ends, about one recipient per block."""
    return POSTFIX.format(to=to, recipients="\n".join(recipients or [block()])).encode()
