"""What can be made to go wrong, how often, and the dice that decide it repeatably."""

import random
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Annotated, Any, ClassVar, Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

Share = Annotated[float, Field(ge=0, le=1)]
Seconds = Annotated[float, Field(ge=0)]


class Switches(BaseModel):
    """Faults of one part of the sandbox; what is written below each is its `description`."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, use_attribute_docstrings=True
    )

    part: ClassVar[str]
    option: ClassVar[str]
    path: ClassVar[str]
    """Below /_sandbox, where they are changed while the sandbox runs."""


class Faults(Switches):
    """
    What goes wrong at the rewards API: a `Share` is a probability from 0 to 1.

    Shares of requests are drawn per request of a PO number (the third POST of a PO meets the same
    fate in every run), shares of orders once per PO number.
    """

    part = "the rewards API"
    option = "--fault"
    path = "faults"

    # Shares of requests.
    order_504_after_commit: Share = 0.0
    """The order is placed, then answered with 504."""
    order_reset_after_commit: Share = 0.0
    """The order is placed, then the connection drops without an answer."""
    order_500: Share = 0.0
    """500; nothing is ordered."""
    order_400: Share = 0.0
    """400; nothing is ordered."""
    order_429: Share = 0.0
    """429; nothing is ordered."""
    read_500: Share = 0.0
    """Products and orders are read in vain: 500."""
    read_429: Share = 0.0
    """Products and orders are read in vain: 429."""
    read_404: Share = 0.0
    """An order that exists is answered with 404."""
    slow: Share = 0.0
    """The answer comes `slow_seconds` late, after its effect."""
    token_504: Share = 0.0
    """A request for a token is answered with 504."""
    token_expires_early: Share = 0.0
    """A request ends the life of its token: 401."""
    burst_500: Share = 0.0
    """A request starts a window of `burst_seconds` in which every answer is 503."""

    # Shares of orders.
    order_fails: Share = 0.0
    """The order ends as Failed."""
    short_order: Share = 0.0
    """There is one link less than ordered; see `short_reads`."""
    duplicate_link: Share = 0.0
    """One link stands there twice, in place of another."""
    repeated_link: Share = 0.0
    """One link was already part of an earlier order."""
    extra_link: Share = 0.0
    """There is one link more than ordered."""
    links_twice: Share = 0.0
    """All links are shown a second time."""
    extra_urls: Share = 0.0
    """URLs that are no claim links are shown beside the links."""
    status_unknown: Share = 0.0
    """The order is OnHold at first; see `unknown_reads`."""
    webhook_late: Share = 0.0
    """The webhook is called `webhook_late_seconds` late."""
    webhook_twice: Share = 0.0
    """The webhook is called twice."""
    webhook_never: Share = 0.0
    """The webhook is never called."""

    # How they look.
    slow_seconds: Seconds = 2.0
    """How long `slow` takes."""
    burst_seconds: Seconds = 2.0
    """How long `burst_500` lasts."""
    retry_after: Literal["none", "seconds", "date", "mixed"] = "mixed"
    """What a 429 has in Retry-After; mixed: any of them."""
    retry_after_seconds: Annotated[int, Field(ge=0)] = 1
    """How long a 429 asks to wait."""
    short_reads: Annotated[int, Field(ge=0)] = 0
    """Reads of the completed order until the missing link appears; 0: it never does."""
    unknown_reads: Annotated[int, Field(ge=1)] = 2
    """Reads that show the status OnHold before the real one."""
    webhook_late_seconds: Seconds = 5.0
    """How late `webhook_late` is."""
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
    """Orders are shown without their links."""
    links_http: bool = False
    """Links are shown as http, without the s."""
    links_elsewhere: bool = False
    """The first link of an order is shown at another host."""
    links_ambiguous: bool = False
    """Line items show other URLs too, in CardLinks."""


class MailFaults(Switches):
    """
    What goes wrong at the mail sink, drawn per recipient address and attempt.

    `rcpt_greylist` is drawn per address and concerns its first attempt, `refuse` per connection.
    """

    part = "the mail sink"
    option = "--smtp-fault"
    path = "smtp-faults"

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
    """The answer to the final dot comes `slow_seconds` late."""
    slow_seconds: Seconds = 2.0
    """How long `slow` takes."""
    refuse: Share = 0.0
    """The connection is dropped before the greeting."""
    dsn: Share = 0.0
    """The message is stored, and a delivery status notification says later that it failed."""


class SmsFaults(Switches):
    """
    What goes wrong at the SMS API, drawn per number and how often it was posted to.

    Shares of callbacks are drawn once per number.
    """

    part = "the SMS API"
    option = "--sms-fault"
    path = "sms-faults"

    sms_429: Share = 0.0
    """429 with code 20429; nothing is accepted."""
    sms_500_before: Share = 0.0
    """500; nothing is accepted."""
    sms_500_after: Share = 0.0
    """The message is accepted, then answered with 500."""
    sms_reset_after: Share = 0.0
    """The message is accepted, then the connection drops without an answer."""
    undelivered_30003: Share = 0.0
    """The message never arrives: unreachable handset."""
    undelivered_30005: Share = 0.0
    """The message never arrives: unknown handset."""
    undelivered_30006: Share = 0.0
    """The message never arrives: landline or unreachable carrier."""
    undelivered_30007: Share = 0.0
    """The message never arrives: filtered by the carrier."""
    callback_late: Share = 0.0
    """The callbacks come `callback_late_seconds` late."""
    callback_twice: Share = 0.0
    """Each callback comes twice."""
    callback_reordered: Share = 0.0
    """The message's fate is told before that it was sent."""
    callback_never: Share = 0.0
    """No callback comes."""

    callback_late_seconds: Seconds = 5.0
    """How late `callback_late` is."""
    retry_after_seconds: Annotated[int, Field(ge=0)] = 0
    """What a 429 says in Retry-After; 0: no such header."""
    list_500: bool = False
    """Every request for the list of messages is answered with 500."""


KINDS: tuple[type[Switches], ...] = (Faults, MailFaults, SmsFaults)

F = TypeVar("F", bound=Switches)


class Chaos(Generic[F]):
    """The faults in force, and the dice; `faults` may be replaced at any time."""

    def __init__(self, faults: F, seed: int) -> None:
        self.faults = faults
        self._seed = seed

    def hits(self, kind: str, key: str) -> bool:
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
            raise ValueError(refusal(error, type(self.faults))) from None

    def reset(self) -> None:
        """Turn every fault off, also those that were on from the start."""
        self.faults = type(self.faults)()

    def _dice(self, kind: str, key: str) -> random.Random:
        return random.Random(f"{self._seed}:{kind}:{key}")  # noqa: S311 - repeatable on purpose


def in_words(error: ValidationError) -> str:
    """Return the first thing that is wrong, as `Where.it.is: what is wrong`."""
    first = error.errors(include_url=False, include_input=False)[0]
    where = ".".join(str(part) for part in first["loc"])
    return f"{where}: {first['msg']}" if where else first["msg"]


def refusal(error: ValidationError, kind: type[Switches]) -> str:
    """Return in a sentence what is wrong with values for *kind*, with the nearest known name."""
    first = error.errors(include_url=False, include_input=False)[0]
    if first["type"] != "extra_forbidden":
        return in_words(error)
    name = str(first["loc"][0])
    return f'"{name}" is not a fault of {kind.part}{_hint(name, kind)}; --list-faults lists all'


def _hint(name: str, kind: type[Switches]) -> str:
    for other in KINDS:
        if name in other.model_fields:
            return f" but of {other.part} ({other.option})"
    close = get_close_matches(name, list(kind.model_fields), n=1)
    return f' (did you mean "{close[0]}"?)' if close else ""
