"""What can be made to go wrong, how often, and the dice that decide it repeatably."""

import random
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

Share = Annotated[float, Field(ge=0, le=1)]
Seconds = Annotated[float, Field(ge=0)]


class _Switches(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Faults(_Switches):
    """
    What goes wrong at the rewards API: a `Share` is a probability from 0 to 1.

    Shares of requests are drawn per request of a PO number (the third POST of a PO meets the same
    fate in every run), shares of orders once per PO number.
    """

    # Shares of requests.
    order_504_after_commit: Share = 0.0
    order_reset_after_commit: Share = 0.0
    order_500: Share = 0.0
    order_400: Share = 0.0
    order_429: Share = 0.0
    read_500: Share = 0.0
    read_429: Share = 0.0
    read_404: Share = 0.0
    slow: Share = 0.0
    token_504: Share = 0.0
    token_expires_early: Share = 0.0
    burst_500: Share = 0.0
    """A request starts a window of `burst_seconds` in which every answer is 503."""

    # Shares of orders.
    order_fails: Share = 0.0
    short_order: Share = 0.0
    duplicate_link: Share = 0.0
    repeated_link: Share = 0.0
    """One link was already part of an earlier order."""
    extra_link: Share = 0.0
    """There is one link more than ordered."""
    links_twice: Share = 0.0
    extra_urls: Share = 0.0
    status_unknown: Share = 0.0
    webhook_late: Share = 0.0
    webhook_twice: Share = 0.0
    webhook_never: Share = 0.0

    # How they look.
    slow_seconds: Seconds = 2.0
    burst_seconds: Seconds = 2.0
    retry_after: Literal["none", "seconds", "date", "mixed"] = "mixed"
    retry_after_seconds: Annotated[int, Field(ge=0)] = 1
    short_reads: Annotated[int, Field(ge=0)] = 0
    """Reads of the completed order until the missing link appears; 0: it never does."""
    unknown_reads: Annotated[int, Field(ge=1)] = 2
    """Reads that show the status OnHold before the real one."""
    webhook_late_seconds: Seconds = 5.0
    credentials_disabled: bool = False
    """Every request for a token is answered 403."""

    # How everything is answered while they are on.
    links_withdrawn: bool = False
    """No product can be ordered as links: the list says so, and orders are answered 400."""
    duplicate_without_id: bool = False
    """A 409 does not say which order has the PO number."""
    order_shown_wrong: bool = False
    """Orders are shown with another value."""
    links_hidden: bool = False
    links_http: bool = False
    """Links are shown as http, without the s."""
    links_elsewhere: bool = False
    """The first link of an order is shown at another host."""
    links_ambiguous: bool = False
    """Line items show other URLs too, in CardLinks."""


class MailFaults(_Switches):
    """
    What goes wrong at the mail sink, drawn per recipient address and attempt.

    `rcpt_greylist` is drawn per address and concerns its first attempt, `refuse` per connection.
    """

    rcpt_550: Share = 0.0
    """550 5.1.1, no such mailbox."""
    rcpt_450: Share = 0.0
    """450 4.2.2, mailbox full."""
    rcpt_greylist: Share = 0.0
    """450 4.7.1, come back later."""
    rcpt_421: Share = 0.0
    """421 4.3.2, and the connection is closed."""
    data_451: Share = 0.0
    """451 4.3.0 after the final dot; nothing is stored."""
    data_policy: Share = 0.0
    """550 5.7.1 after the final dot; nothing is stored."""
    drop_after_store: Share = 0.0
    """The message is stored, then the connection drops without an answer."""
    drop_before_store: Share = 0.0
    """The connection drops after the final dot and nothing is stored."""
    slow: Share = 0.0
    slow_seconds: Seconds = 2.0
    refuse: Share = 0.0
    """The connection is dropped before the greeting."""
    dsn: Share = 0.0
    """The message is stored, and a delivery status notification says later that it failed."""


class SmsFaults(_Switches):
    """
    What goes wrong at the SMS API, drawn per number and how often it was posted to.

    Shares of callbacks are drawn once per number.
    """

    sms_429: Share = 0.0
    """429 with code 20429; nothing is accepted."""
    sms_500_before: Share = 0.0
    """500; nothing is accepted."""
    sms_500_after: Share = 0.0
    """The message is accepted, then answered with 500."""
    sms_reset_after: Share = 0.0
    """The message is accepted, then the connection drops without an answer."""
    undelivered_30003: Share = 0.0
    undelivered_30005: Share = 0.0
    undelivered_30006: Share = 0.0
    undelivered_30007: Share = 0.0
    callback_late: Share = 0.0
    callback_twice: Share = 0.0
    callback_reordered: Share = 0.0
    """The message's fate is told before that it was sent."""
    callback_never: Share = 0.0

    callback_late_seconds: Seconds = 5.0
    retry_after_seconds: Annotated[int, Field(ge=0)] = 0
    """What a 429 says in Retry-After; 0: no such header."""
    list_500: bool = False
    """Every request for the list of messages is answered with 500."""


F = TypeVar("F", bound=_Switches)


class Chaos(Generic[F]):
    """The faults in force, and the dice; `faults` may be replaced at any time."""

    def __init__(self, faults: F, seed: int) -> None:
        self.faults = faults
        self._seed = seed

    def strikes(self, kind: str, key: str) -> bool:
        """Return whether the fault *kind* hits *key*: the same answer for the same seed."""
        share = float(getattr(self.faults, kind))
        return share > 0 and self._dice(kind, key).random() < share

    def pick(self, choices: Sequence[str], kind: str, key: str) -> str:
        """Return one of *choices*: the same one for the same seed, kind and key."""
        return self._dice(kind, key).choice(choices)

    def update(self, change: Mapping[str, Any]) -> None:
        """Change the named faults only; raises ValueError in words, with nothing changed."""
        wanted = self.faults.model_dump() | dict(change)
        try:
            self.faults = type(self.faults).model_validate(wanted)
        except ValidationError as error:
            raise ValueError(in_words(error)) from None

    def _dice(self, kind: str, key: str) -> random.Random:
        return random.Random(f"{self._seed}:{kind}:{key}")  # noqa: S311 - repeatable on purpose


def in_words(error: ValidationError) -> str:
    """Return the first thing that is wrong, as `Where.it.is: what is wrong`."""
    first = error.errors(include_url=False, include_input=False)[0]
    where = ".".join(str(part) for part in first["loc"])
    return f"{where}: {first['msg']}" if where else first["msg"]
