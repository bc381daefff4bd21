"""What Twilio posts to its customers: status callbacks and messages from people, signed."""

import base64
import hashlib
import hmac
import time
from collections.abc import Mapping
from urllib.parse import urlencode

from sandbox.faults import Chaos, SmsFaults
from sandbox.options import SmsOptions
from sandbox.outgoing import PostQueue
from sandbox.sms.messages import POOL_NUMBER, SmsMessage


class Callbacks:
    """Enqueues the right posts for the right times; the faults decide which go astray."""

    def __init__(self, outgoing: PostQueue, chaos: Chaos[SmsFaults], options: SmsOptions) -> None:
        self._outgoing = outgoing
        self._chaos = chaos
        self._options = options

    def accepted(self, message: SmsMessage) -> None:
        """Enqueue the callbacks of *message*: one when it is sent, one when its fate is known."""
        key = message.to
        if not message.callback or self._chaos.hits("callback_never", key):
            return
        late = self._chaos.hits("callback_late", key)
        delay = self._chaos.faults.callback_late_seconds if late else 0.0
        times = [message.sent_at + delay, message.final_at + delay]
        if self._chaos.hits("callback_reordered", key):
            times.reverse()
        for _ in range(2 if self._chaos.hits("callback_twice", key) else 1):
            for status, due_at in zip(("sent", message.final), times, strict=True):
                self._enqueue(message.callback, self._status(message, status), due_at)

    def inbound(self, sid: str, sender: str, to: str, body: str) -> bool:
        """Enqueue the message *body* from *sender*; False if there is nowhere to post it."""
        form = {
            "ApiVersion": "2010-04-01",
            "AccountSid": self._options.account_sid,
            "MessageSid": sid,
            "SmsSid": sid,
            "SmsMessageSid": sid,
            "SmsStatus": "received",
            "From": sender,
            "To": to or POOL_NUMBER,
            "Body": body,
            "NumMedia": "0",
            "NumSegments": "1",
        }
        return self._enqueue(self._options.inbound_url or "", form, time.time())

    def _enqueue(self, url: str, form: Mapping[str, str], due_at: float) -> bool:
        headers = {
            "Content-Type": "application/x-www-form-urlencoded; charset=UTF-8",
            "X-Twilio-Signature": signature(url, form, self._options.auth_token),
        }
        return self._outgoing.enqueue(url, urlencode(form).encode(), headers, due_at=due_at)

    def _status(self, message: SmsMessage, status: str) -> dict[str, str]:
        form = {
            "ApiVersion": "2010-04-01",
            "AccountSid": self._options.account_sid,
            "MessageSid": message.sid,
            "SmsSid": message.sid,
            "MessageStatus": status,
            "SmsStatus": status,
            "From": message.origin,
            "To": message.to,
        }
        if message.service:
            form["MessagingServiceSid"] = message.service
        if status == "undelivered":
            form["ErrorCode"] = str(message.error_code)
        return form


def signature(url: str, form: Mapping[str, str], auth_token: str) -> str:
    """Return X-Twilio-Signature: of the URL, then each name and value in order of the names."""
    text = url + "".join(name + form[name] for name in sorted(form))
    digest = hmac.new(auth_token.encode(), text.encode(), hashlib.sha1).digest()
    return base64.b64encode(digest).decode()
