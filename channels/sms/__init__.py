"""SMS over Twilio."""

from channels.sms.account import TwilioAccount
from channels.sms.adapter import SmsChannel
from channels.sms.codes import of_callback
from channels.sms.composer import SmsComposer
from channels.sms.segments import Segments, segments

__all__ = ["Segments", "SmsChannel", "SmsComposer", "TwilioAccount", "of_callback", "segments"]
