"""The catalogue: a dozen products such as a reseller offers, and what may be ordered of them."""

from decimal import Decimal
from typing import Any

from sandbox.rewards.orders import RequestedItem, SandboxOrderRequest

_USUAL = (5, 10, 25, 50, 100)
_ALL = ("DigitalDelivery", "Links", "PhysicalShipment")
_DIGITAL = ("DigitalDelivery", "Links")


def _product(
    product_id: str,
    name: str,
    *,
    denominations: tuple[int, ...] = _USUAL,
    kind: str = "Fixed",
    delivery: tuple[str, ...] = _DIGITAL,
    currency: str = "USD",
    discount: float = 0.0,
) -> dict[str, Any]:
    return {
        "Id": product_id,
        "Name": name,
        "ShortDescription": f"{name} gift card",
        "LongDescription": f"A gift card for {name}, redeemable in stores and online.",
        "Type": "Digital" if "PhysicalShipment" not in delivery else "Both",
        "DenominationType": kind,
        "Denominations": list(denominations),
        "AvailableDeliveryTypes": list(delivery),
        "CurrencyCode": currency,
        "CultureCodes": ["en-CA", "fr-CA"] if currency == "CAD" else ["en-US"],
        "Cost": {"Fee": 0.0, "DiscountPercentage": discount},
        "Terms": "https://www.sandbox.example/terms",
        "Disclaimer": "An invented product; worth nothing.",
        "RedemptionNote": "Show the code at the till.",
        "Media": {"Faceplates": [{"Name": "default", "Path": f"/media/{product_id}.png"}]},
        "Meta": {"ShippingConfiguration": {"FulfillmentGroup": "A"}},
        "Translations": [],
    }


PRODUCTS = (
    _product("CVS", "CVS Pharmacy", delivery=_ALL, discount=2.0),
    _product("TARGET", "Target"),
    _product("STARBUCKS", "Starbucks", denominations=(5, 10, 15, 25)),
    _product("BESTBUY", "Best Buy", denominations=(25, 50, 100, 250)),
    _product("HOMEDEPOT", "The Home Depot", delivery=_ALL),
    _product("PANERA", "Panera Bread", denominations=(10, 25), discount=5.0),
    _product("REI", "REI", denominations=(20, 50, 100)),
    _product("UBEREATS", "Uber Eats", denominations=(15, 25, 50)),
    _product("VISA-ANY", "Visa Reward", denominations=(1, 500), kind="Variable"),
    _product("KROGER-CARD", "Kroger plastic card", delivery=("PhysicalShipment",)),
    _product("MACYS-MAIL", "Macy's by e-mail", delivery=("DigitalDelivery",)),
    _product("TIMS-CA", "Tim Hortons", denominations=(5, 10, 20), currency="CAD"),
)

_BY_ID = {str(product["Id"]): product for product in PRODUCTS}


def check(request: SandboxOrderRequest) -> None:
    """Raise ValueError, in words, if *request* asks for what is not offered."""
    if request.type != "Links":
        msg = "Type: this sandbox fulfils orders of Type Links only"
        raise ValueError(msg)
    for position, item in enumerate(request.line_items):
        wrong = _wrong(item)
        if wrong:
            msg = f"LineItems.{position}.{wrong}"
            raise ValueError(msg)


def _wrong(item: RequestedItem) -> str | None:
    product = _BY_ID.get(item.product_id)
    if product is None:
        return "ProductId: there is no such product"
    if "Links" not in product["AvailableDeliveryTypes"]:
        return "ProductId: this product is not available as Links"
    if not _offered(product, item.value):
        return "Value: not an available denomination of this product"
    return None


def _offered(product: dict[str, Any], value: Decimal) -> bool:
    denominations: list[int] = product["Denominations"]
    if product["DenominationType"] == "Variable":
        return min(denominations) <= value <= max(denominations)
    return value in denominations


def without_links() -> list[dict[str, Any]]:
    """Return the catalogue as it is when nothing of it may be ordered as links."""
    return [product | {"AvailableDeliveryTypes": ["PhysicalShipment"]} for product in PRODUCTS]
