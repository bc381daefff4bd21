"""The fields of an answer: an odd value becomes a harmless one, never an error."""

from collections.abc import Sequence
from decimal import Decimal, InvalidOperation
from typing import Annotated

from pydantic import AllowInfNan, BeforeValidator

from pipeline.rewards.document import leaves

DEFAULT_LIFE = 300.0
_LONGEST_LIFE = 86_400.0
_LONGEST_ID = 200
_GREATEST_NUMBER = Decimal(10) ** 12
_UNREADABLE = Decimal("NaN")


def usable_order_id(value: object) -> str | None:
    """Return *value* as the id of an order, or None if it cannot be one that a URL can name."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        return None
    text = str(value)
    # "." and ".." would name another resource, however they are quoted.
    usable = 0 < len(text) <= _LONGEST_ID and text.isprintable() and text not in {".", ".."}
    # An order's id is kept, logged and shown in clear; a link must not be.
    return text if usable and text.strip() and "://" not in text else None


def original_order_id(document: object) -> str | None:
    """
    Return the id that the body of a 409 names, or None.

    At the top level in any letter case, else anywhere if there is only one.
    """
    found = [(path, value) for path, value in leaves(document) if path]
    top = {usable_order_id(value) for path, value in found if len(path) == 1 and _is_id(path)}
    deep = {usable_order_id(value) for path, value in found if _is_id(path)}
    ids = (top or deep) - {None}
    return ids.pop() if len(ids) == 1 else None


def _is_id(path: Sequence[str]) -> bool:
    return path[-1].casefold() == "id"


def _valid_order_id(value: object) -> str:
    found = usable_order_id(value)
    if found is None:
        msg = "no usable order id"
        raise ValueError(msg)
    return found


def as_text(value: object) -> str | None:
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return value if isinstance(value, str) else None


def _number(value: object) -> Decimal | None:
    """Return a number as it is written; None if there is none, NaN if it cannot be read."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, str | int | float | Decimal):
        return _UNREADABLE
    try:
        # A float's shortest text is what the API wrote; its exact value is not.
        number = Decimal(str(value).strip())
    except (InvalidOperation, ValueError):
        return _UNREADABLE
    return number if _is_handy(number) else _UNREADABLE


def _is_handy(number: Decimal) -> bool:
    """Tell amounts and counts from what would fill the memory when it is written out."""
    exponent = number.as_tuple().exponent
    return isinstance(exponent, int) and abs(exponent) <= 12 and abs(number) < _GREATEST_NUMBER


def _count(value: object) -> int | None:
    """Return a whole number; None if there is none, 0 if it cannot be read."""
    number = _number(value)
    if number is None:
        return None
    return int(number) if number.is_finite() and number == number.to_integral_value() else 0


def _items(value: object) -> object:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else None


def _texts(value: object) -> object:
    return [each for each in value if isinstance(each, str)] if isinstance(value, list) else None


def _numbers(value: object) -> object:
    """Return the numbers of a list, or None if one of them cannot be read."""
    if not isinstance(value, list):
        return None
    numbers = [_number(each) for each in value]
    return None if any(each is None or each.is_nan() for each in numbers) else numbers


def _lifetime(value: object) -> float:
    """Return seconds; the documents show 3600 and no unit, so what is odd is taken as short."""
    number = _number(value)
    if number is None or number.is_nan() or number < 1:
        return DEFAULT_LIFE
    return min(float(number), _LONGEST_LIFE)


Text = Annotated[str | None, BeforeValidator(as_text)]
Number = Annotated[Annotated[Decimal, AllowInfNan(True)] | None, BeforeValidator(_number)]  # noqa: FBT003 - pydantic's own form
Texts = Annotated[tuple[str, ...] | None, BeforeValidator(_texts)]
Numbers = Annotated[tuple[Decimal, ...] | None, BeforeValidator(_numbers)]
Items = BeforeValidator(_items)
Count = Annotated[int | None, BeforeValidator(_count)]
Lifetime = Annotated[float, BeforeValidator(_lifetime)]
OrderId = Annotated[str, BeforeValidator(_valid_order_id)]
