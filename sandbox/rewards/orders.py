"""What an order is: the request as it comes in, and what was decided about it."""

from decimal import Decimal
from typing import Annotated, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StrictInt, ValidationInfo
from pydantic.alias_generators import to_pascal

Outcome = Literal["Completed", "Failed"]


def _number(value: object, info: ValidationInfo) -> object:
    # Our own documents ("json") hold decimals as strings; a client's "10.00" is a mistake.
    if info.mode == "json":
        return value
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        msg = "must be a number"
        raise ValueError(msg)  # noqa: TRY004 - pydantic collects ValueErrors only
    return value


Amount = Annotated[Decimal, BeforeValidator(_number), Field(gt=0, decimal_places=2)]


class _RequestPart(BaseModel):
    """A part of a request; unknown fields are ignored, as vendors do."""

    model_config = ConfigDict(frozen=True, alias_generator=to_pascal)


class RequestedItem(_RequestPart):
    product_id: str
    value: Amount
    quantity: Annotated[StrictInt, Field(ge=1, le=10_000)]


class SandboxWebhookSettings(_RequestPart):
    fulfillment_complete: Annotated[str, Field(pattern=r"^https?://")] | None = None


class SandboxOrderRequest(_RequestPart):
    """The body of POST /v1/Orders."""

    type: Literal["DigitalDelivery", "Links", "PhysicalShipment"]
    line_items: Annotated[tuple[RequestedItem, ...], Field(min_length=1)]
    po: Annotated[str, Field(alias="PONumber", min_length=1, max_length=100)]
    webhook_settings: SandboxWebhookSettings = SandboxWebhookSettings()

    @property
    def quantity(self) -> int:
        return sum(item.quantity for item in self.line_items)

    @property
    def total(self) -> Decimal:
        return sum((item.value * item.quantity for item in self.line_items), Decimal(0))

    @property
    def webhook(self) -> str | None:
        return self.webhook_settings.fulfillment_complete


class _Kept(BaseModel):
    model_config = ConfigDict(frozen=True)


class Quirks(_Kept):
    """What is odd about one order, decided when it was placed and true ever after."""

    hidden_reads: int = 0
    """Reads of the completed order that lack the last link."""
    unknown_reads: int = 0
    """Reads that show the status OnHold."""
    links_twice: bool = False
    extra_urls: bool = False
    signals: int = 1
    """How often the webhook is called."""
    signal_delay: float = 0.0
    """Seconds from completion to the webhook."""


class SandboxOrder(_Kept):
    """
    A placed order; times are seconds since the epoch.

    `links` holds the URLs of each line item from the start; `completes_at` is None while only
    somebody at the control endpoint can complete the order.
    """

    id: str
    request: SandboxOrderRequest
    outcome: Outcome
    created_at: float
    completes_at: float | None
    quirks: Quirks
    links: tuple[tuple[str, ...], ...]

    def status(self, now: float, reads: int = 0) -> str:
        """Return the status that an answer shows at *now* after *reads* earlier reads."""
        if reads < self.quirks.unknown_reads:
            return "OnHold"
        if self.completes_at is None or now < self.completes_at:
            return "Pending"
        return self.outcome

    @property
    def signal_at(self) -> float | None:
        """When the webhook is due; None: never, or nobody knows yet."""
        asynchronous = self.completes_at != self.created_at
        owed = self.request.webhook and self.quirks.signals and asynchronous
        if not owed or self.completes_at is None:
            return None
        return self.completes_at + self.quirks.signal_delay

    def to_json(self) -> str:
        """Return the order as a document that `from_json` reads."""
        return self.model_dump_json(by_alias=True)

    @classmethod
    def from_json(cls, document: str) -> Self:
        return cls.model_validate_json(document)
