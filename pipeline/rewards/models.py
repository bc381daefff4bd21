"""Requests and answers of the rewards API, tolerant of what its documentation leaves open."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Annotated, Any, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    TypeAdapter,
    model_validator,
)

from pipeline.domain.safe_text import clean
from pipeline.rewards.fields import (
    DEFAULT_LIFE,
    Count,
    Items,
    Lifetime,
    Number,
    Numbers,
    OrderId,
    Text,
    Texts,
    as_text,
)


class _AnswerPart(BaseModel):
    """A part of an answer: any letter case of its keys, unknown keys ignored."""

    # An error's text would otherwise show the input, which may hold links and tokens.
    model_config = ConfigDict(frozen=True, populate_by_name=True, hide_input_in_errors=True)

    @model_validator(mode="before")
    @classmethod
    def _documented_spelling(cls, data: object) -> object:
        if not isinstance(data, dict):
            return data
        aliases = {
            each.alias.lower(): each.alias for each in cls.model_fields.values() if each.alias
        }
        known = set(aliases.values())
        # The documented spelling comes last, and so wins over another letter case beside it.
        ordered = sorted(data.items(), key=lambda pair: pair[0] in known)
        return {aliases.get(str(key).lower(), key): value for key, value in ordered}


class Token(_AnswerPart):
    """A bearer token and its life in seconds; the value is secret."""

    # It goes into a header; anything else would break the request, with the value in the text.
    value: Annotated[str, Field(alias="Value", pattern=r"^[\x21-\x7e]+$", repr=False)]
    expires_in: Lifetime = Field(default=DEFAULT_LIFE, alias="ExpiresIn")


class Product(_AnswerPart):
    """One product; what is None was not shown in a form that can be read."""

    id: Annotated[str, BeforeValidator(as_text), Field(alias="Id", min_length=1)]
    name: Text = Field(default=None, alias="Name")
    denominations: Numbers = Field(default=None, alias="Denominations")
    denomination_type: Text = Field(default=None, alias="DenominationType")
    delivery_types: Texts = Field(default=None, alias="AvailableDeliveryTypes")
    currency_code: Text = Field(default=None, alias="CurrencyCode")


Products = TypeAdapter(list[Product])


def read_products(document: object) -> list[Product]:
    """
    Return the products of an answer: a list, or an object that holds exactly one list.

    What has no id is left out. Raises ValueError if there is no such list.
    """
    lists = [document] if isinstance(document, list) else []
    if isinstance(document, dict):
        lists = [value for value in document.values() if isinstance(value, list)]
    if len(lists) != 1:
        msg = "no list of products"
        raise ValueError(msg)
    return Products.validate_python([each for each in lists[0] if _has_id(each)])


def _has_id(entry: object) -> bool:
    return isinstance(entry, dict) and any(
        str(key).lower() == "id" and as_text(value) for key, value in entry.items()
    )


class LineItem(_AnswerPart):
    """
    One line item; None is what was not shown.

    A value or quantity that was shown in a form that cannot be read is NaN or 0: equal to nothing
    that was ever ordered.
    """

    product_id: Text = Field(default=None, alias="ProductId")
    value: Number = Field(default=None, alias="Value")
    quantity: Count = Field(default=None, alias="Quantity")


class _OrderFields(_AnswerPart):
    id: OrderId = Field(alias="Id")
    status: Text = Field(default=None, alias="Status")
    po_number: Text = Field(default=None, alias="PONumber")
    type: Text = Field(default=None, alias="Type")
    items: Annotated[tuple[LineItem, ...] | None, Items] = Field(default=None, alias="LineItems")


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """An order as an answer shows it; `document` is the whole of it and holds the links."""

    id: str
    status: str | None
    po_number: str | None
    type: str | None
    items: tuple[LineItem, ...] | None
    document: Mapping[str, Any] = field(repr=False)

    @classmethod
    def read(cls, document: object) -> Self:
        """Return the order in *document*; raises ValueError if it is none."""
        if not isinstance(document, dict):
            msg = "no order"
            raise ValueError(msg)  # noqa: TRY004 - to the caller all unreadable answers are one
        head = _OrderFields.model_validate(document)
        return cls(
            id=head.id,
            status=head.status,
            po_number=head.po_number,
            type=head.type,
            items=head.items,
            document=document,
        )


class OrderRequest(BaseModel):
    """One order of links: *quantity* links of one product and face value under one PO number."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    po_number: Annotated[str, Field(min_length=1, max_length=100)]
    product_id: Annotated[str, Field(min_length=1, max_length=200)]
    value: Annotated[Decimal, Field(gt=0, max_digits=12)]
    quantity: Annotated[int, Field(ge=1, strict=True)]
    # Its path holds the secret that stands in for a signature.
    webhook_url: Annotated[str | None, Field(repr=False)] = None

    def body(self) -> bytes:
        """Return the request's JSON: the same bytes for the same order, the value exact."""
        # json cannot write a Decimal as a number without a detour through a float.
        webhook = ""
        if self.webhook_url is not None:
            settings = json.dumps({"FulfillmentComplete": self.webhook_url})
            webhook = f',"WebhookSettings":{settings}'
        return (
            f'{{"Type":"Links","LineItems":[{{"ProductId":{json.dumps(self.product_id)},'
            f'"Value":{self._plain_value()},"Quantity":{self.quantity}}}],'
            f'"PONumber":{json.dumps(self.po_number)}{webhook}}}'
        ).encode()

    def payload_hash(self) -> str:
        """
        Return SHA-256, in hex, of what is bought: type, items and PO number.

        It is stored before the first POST and compared for ever, so it may never change.
        """
        bought = ["Links", [[self.product_id, self._plain_value(), self.quantity]], self.po_number]
        return hashlib.sha256(json.dumps(bought).encode()).hexdigest()

    def _plain_value(self) -> str:
        """Return the value without exponent and trailing zeros: 10.00 is 10, 2.50 is 2.5."""
        text = format(self.value, "f")
        return text.rstrip("0").rstrip(".") if "." in text else text


def order_difference(order: Order, request: OrderRequest) -> str | None:
    """
    Return None if *order* may be the order of *request*, else in words what differs.

    What the answer does not show is no difference, except the PO number: without it nothing says
    whose order this is.
    """
    if order.po_number is None:
        return "the PO number is missing"
    differences = [
        "the PO number differs" if order.po_number != request.po_number else None,
        _type_difference(order.type),
        _items_difference(order.items or (), request),
    ]
    return "; ".join(filter(None, differences)) or None


def _type_difference(shown: str | None) -> str | None:
    if shown is None or shown.strip().casefold() == "links":
        return None
    return f"the type is {clean(shown, 40)} instead of Links"


def _items_difference(items: Sequence[LineItem], request: OrderRequest) -> str | None:
    for item in items:
        if item.product_id not in {None, request.product_id}:
            return f"the product is {clean(item.product_id or '', 40)}"
        if item.value is not None and item.value != request.value:
            return f"the value is {item.value} instead of {request.value}"
    quantities = [item.quantity for item in items if item.quantity is not None]
    shown_all = bool(items) and len(quantities) == len(items)
    if (shown_all and sum(quantities) != request.quantity) or sum(quantities) > request.quantity:
        return f"the quantity is {sum(quantities)} instead of {request.quantity}"
    return None
