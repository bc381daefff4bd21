"""
Every error that crosses a package boundary.

The class of an error *is* the decision:

* ClaimcastError            base of all errors raised on purpose; the text is one sentence
  x InputError              what the user gave cannot be used; nothing was changed
  x UnavailableError        something that is needed cannot be reached
  x StaleLeaseError         another worker has the lease of this batch; start nothing more
  x DeliveryError           one attempt to send one message did not succeed
    + TransientError        certainly not accepted; try this recipient again later
    + DoubtedError          refused, and it is not clear whether because of the recipient or of us
    + UncertainError        may have been accepted; repeat only under the campaign's policy
    + PermanentError        will never work for this recipient
    + BlockedError          about us or the provider: costs the recipient nothing
      + LimitedError        the provider takes no more of us for now: a quota or a rate
    + AbandonedError        never started: the lease was lost, or the campaign was paused
  x RewardsError            one call of the rewards API did not succeed
    + RewardsUnavailableError  429, 5xx, time-out, reset: the same call again, later
    + DuplicateOrderError   409: this PO number was used before
    + FundsError            422: not enough available funds
    + RefusedError          400, 404: the request itself is wrong
    + OrderNotFoundError    404 when reading an order
    + CredentialsError      401 after a fresh token, 403, no token
* BackpressureError         not yet; only between the dispatcher and its channel
"""

import asyncio
from enum import StrEnum


class ClaimcastError(Exception):
    """Base class; its text is one sentence for people, without secrets."""


class InputError(ClaimcastError):
    """What the user gave cannot be used; nothing was changed."""


class UnavailableError(ClaimcastError):
    """Something that is needed cannot be reached."""


class StaleLeaseError(ClaimcastError):
    """The lease is lost: another worker may start work on this batch."""


class DeliveryError(ClaimcastError):
    """
    One attempt to send one message did not succeed.

    `code` is short, stable and safe to store and show (letters, digits, `_`, `.`; at most 20
    characters), e.g. `smtp_550_5.1.1`. `detail` is the provider's words for the operator's log;
    it never holds a link or the message.
    """

    def __init__(self, code: str, detail: str = "") -> None:
        super().__init__(f"{code}: {detail}" if detail else code)
        self.code = code
        self.detail = detail


class TransientError(DeliveryError):
    """
    Certainly not accepted, may be accepted later.

    `retry_after` is the least wait in seconds; None leaves it to the retry policy.
    """

    def __init__(self, code: str, detail: str = "", *, retry_after: float | None = None) -> None:
        super().__init__(code, detail)
        self.retry_after = retry_after


class DoubtedError(DeliveryError):
    """
    Certainly not accepted; the refusal may be about the recipient, or about us and everybody.

    It costs the recipient nothing and no other channel is tried until the ledger knows more: a
    second refusal counts against the recipient if somebody was accepted in between. `by_content`
    says who that somebody has to be: after the content was refused somebody of the same campaign
    and template, after the recipient was refused anybody over the same account and sender.
    """

    def __init__(self, code: str, detail: str = "", *, by_content: bool) -> None:
        super().__init__(code, detail)
        self.by_content = by_content


class UncertainError(DeliveryError):
    """The line broke after the message may have been accepted."""


class PermanentError(DeliveryError):
    """
    The recipient can never be reached at this address.

    `suppress` is true when the address itself is dead and must not be tried by anybody again.
    `fallback` is false when it is not known what the refusal means: no other channel is tried
    until an operator has said so (`retry`).
    """

    def __init__(
        self, code: str, detail: str = "", *, suppress: bool = False, fallback: bool = True
    ) -> None:
        super().__init__(code, detail)
        self.suppress = suppress
        self.fallback = fallback


class BlockedError(DeliveryError):
    """
    The provider, our account or our configuration is at fault, never the recipient.

    Certainly not accepted. `fatal` means that only a person can mend it (wrong password, a sender
    that is not verified): this channel of the campaign is blocked at once. `rests` means that
    this channel of the campaign rests at once, and is blocked if that does not pass. With neither
    the channel's breaker counts it, and stays open for `retry_after` seconds at least, if given.
    """

    def __init__(
        self,
        code: str,
        detail: str = "",
        *,
        fatal: bool = False,
        rests: bool = False,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(code, detail)
        self.fatal = fatal
        self.rests = rests
        self.retry_after = retry_after


class Limit(StrEnum):
    """What is used up when a provider takes no more of us; it says when to ask again."""

    RATE = "rate"
    """Too fast: the rate is halved for a while."""
    DAY = "quota_day"
    """A rolling number per day: one message an hour asks whether it is over."""
    HOUR = "quota_hour"
    """A number per hour: asked again at the next full hour."""
    UNKNOWN = "quota_unknown"
    """A number per nobody knows what: asked after 15 minutes, doubling to an hour."""


class LimitedError(BlockedError):
    """
    The provider takes no more of us for now, whoever the recipient is.

    `wait` is the seconds that the provider asked for or that are known of it; None leaves it to
    the kind of *limit*. A rate only rests if `pauses`, else it is halved for `wait`.
    """

    def __init__(
        self,
        code: str,
        detail: str = "",
        *,
        limit: Limit,
        wait: float | None = None,
        pauses: bool = False,
    ) -> None:
        super().__init__(code, detail)
        self.limit = limit
        self.wait = wait
        self.pauses = pauses


class AbandonedError(DeliveryError):
    """The message was not started, because the right to start it was gone."""


class BackpressureError(Exception):
    """Not yet: too much is unrecorded. `room` is done when it is worth asking again."""

    def __init__(self, room: asyncio.Future[None]) -> None:
        super().__init__()
        self.room = room


class RewardsError(ClaimcastError):
    """One call of the rewards API did not succeed; `code` is short and stable."""

    def __init__(self, code: str, detail: str = "") -> None:
        super().__init__(f"{code}: {detail}" if detail else code)
        self.code = code
        self.detail = detail


class RewardsUnavailableError(RewardsError):
    """
    The same call may succeed later; whether this one took effect is unknown.

    `retry_after` is what the server asked for, in seconds, already clamped to an hour;
    `sent` is false when the request certainly never reached the server.
    """

    def __init__(
        self, code: str, detail: str = "", *, retry_after: float | None = None, sent: bool = True
    ) -> None:
        super().__init__(code, detail)
        self.retry_after = retry_after
        self.sent = sent


class DuplicateOrderError(RewardsError):
    """409: the PO number was used before, by the order `order_id` (None if the body lacks it)."""

    def __init__(self, order_id: str | None) -> None:
        super().__init__("duplicate_po")
        self.order_id = order_id


class FundsError(RewardsError):
    """422: the deposit account does not hold enough available funds."""


class RefusedError(RewardsError):
    """400 or 404: the request will be just as wrong next time; `detail` is the API's words."""


class OrderNotFoundError(RewardsError):
    """404 when reading an order."""


class CredentialsError(RewardsError):
    """
    401 with a fresh token, 403, or no token at all.

    `tokens_refused` is how many tokens in a row the API refused, counted over the whole fleet;
    None if what it refuses is no token but ourselves (403, or 401 to `POST /v1/Tokens`).
    """

    def __init__(self, code: str, detail: str = "", *, tokens_refused: int | None = None) -> None:
        super().__init__(code, detail)
        self.tokens_refused = tokens_refused
