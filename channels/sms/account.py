"""The Twilio account that SMS are sent from, as values."""

from dataclasses import dataclass, field

from pipeline.domain.errors import InputError


@dataclass(frozen=True, slots=True, kw_only=True)
class TwilioAccount:
    """
    Whose account it is and how it is reached; times are in seconds.

    Messages are sent from a messaging service or from one number (or short code, or alphanumeric
    sender): InputError unless exactly one of them is given. `timeout` is for a whole request,
    `connect_timeout` for the part of it before anything is sent. `validity` bounds how long
    Twilio may keep a message in its queue (1 to 36,000, which is Twilio's own default): a link
    that arrives half a day later looks like a fraud.
    """

    account_sid: str
    auth_token: str = field(repr=False)
    messaging_service_sid: str | None = None
    from_number: str | None = None
    base_url: str = "https://api.twilio.com"
    connections: int = 10
    connect_timeout: float = 10.0
    timeout: float = 30.0
    validity: int = 14_400

    def __post_init__(self) -> None:
        if bool(self.messaging_service_sid) is bool(self.from_number):
            msg = (
                "SMS need one sender: set either CLAIMCAST_TWILIO__MESSAGING_SERVICE_SID "
                "or CLAIMCAST_TWILIO__FROM_NUMBER"
            )
            raise InputError(msg)

    @property
    def sender(self) -> str:
        """What messages are sent from, for people."""
        if self.from_number:
            return self.from_number
        return f"messaging service {self.messaging_service_sid}"
